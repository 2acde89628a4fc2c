import { describe, expect, it } from "vitest";
import { AppError, type ErrorCode } from "../../../shared/errors.ts";
import { isFinal } from "../../../shared/idempotency/attempt.ts";

describe("a refusal is kept for repeats", () => {
  it.each<[ErrorCode, number | undefined, boolean]>([
    ["not_found", undefined, true],
    ["conflict", undefined, true],
    ["payload_too_large", undefined, true],
    ["conflict", 1, false],
    ["too_many_requests", undefined, false],
    ["too_many_requests", 60, false],
    ["unavailable", 1, false],
    ["internal", undefined, false],
  ])("unless a later attempt may succeed: %s, to be retried after %s s", (code, retryAfter, expected) => {
    expect(isFinal(new AppError(code, "", retryAfter === undefined ? {} : { retryAfter }))).toBe(expected);
  });

  it("unless it is another error than an AppError", () => {
    expect(isFinal(new Error("broken"))).toBe(false);
  });
});
