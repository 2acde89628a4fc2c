import { expect, test } from "vitest";
import { defaultRetryPolicy, waitBefore } from "../../../../infra/import/send/backoff.ts";

const policy = { ...defaultRetryPolicy, baseMs: 100, capMs: 1000, maxRetryAfterMs: 5000 };
const many = (attempt: number, retryAfter: string | null = null): number[] =>
  Array.from({ length: 200 }, () => waitBefore(attempt, policy, retryAfter));

test("waits are spread over a span that doubles up to its cap", () => {
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

test("no wait is shorter than the server asks for, in seconds or as a date, unless it asks for too much", () => {
  expect(Math.min(...many(1, "2"))).toBeGreaterThanOrEqual(2000);
  const inThree = new Date(Date.now() + 3500).toUTCString();
  expect(Math.min(...many(1, inThree))).toBeGreaterThan(2000);
  expect(Math.max(...many(1, "86400"))).toBeLessThanOrEqual(5100);
  expect(Math.max(...many(1, "soon"))).toBeLessThanOrEqual(100);
});
