import { expect, test } from "vitest";
import { defaultRetryPolicy, retryAfterOf, waitBefore } from "../../../../../infra/cli/import/send/api-client.ts";

const policy = { ...defaultRetryPolicy, baseMs: 100, capMs: 1000, maxRetryAfterMs: 5000 };
const many = (attempt: number, asked = 0): number[] =>
  Array.from({ length: 200 }, () => waitBefore(attempt, policy, asked));

test("waits are random up to a limit that doubles to its maximum", () => {
  for (const [attempt, span] of [
    [1, 100],
    [2, 200],
    [3, 400],
    [9, 1000],
  ] as const) {
    const waits = many(attempt);
    expect(Math.max(...waits)).toBeLessThanOrEqual(span);
    expect(Math.max(...waits)).toBeGreaterThan(span * 0.8);
    expect(Math.min(...waits)).toBeLessThan(span * 0.2);
  }
});

test("a wait is at least as long as the server asks for, up to a maximum", () => {
  expect(Math.min(...many(1, 2000))).toBeGreaterThanOrEqual(2000);
  expect(Math.max(...many(1, 2000))).toBeLessThanOrEqual(2100);
  expect(Math.max(...many(1, 86_400_000))).toBeLessThanOrEqual(5100);
});

test.each([
  [{ "retry-after": "2" }, 2000],
  [{ "retry-after": "0.5" }, 500],
  [{ "retry-after": "-1" }, 0],
  [{ "retry-after": "soon" }, 0],
  [{}, 0],
  [{ "retry-after": "Sat, 21 Nov 2026 12:00:03 GMT", date: "Sat, 21 Nov 2026 12:00:00 GMT" }, 3000],
  [{ "retry-after": "Sat, 21 Nov 2026 11:59:00 GMT", date: "Sat, 21 Nov 2026 12:00:00 GMT" }, 0],
  [{ "retry-after": "Sat, 21 Nov 2026 12:00:03 GMT" }, 0],
])("an answer with %j asks for a wait of %i ms, whatever this machine's date is", (headers, milliseconds) => {
  expect(retryAfterOf(new Headers(headers as Record<string, string>))).toBe(milliseconds);
});
