import { expect, test } from "vitest";
import { createTokenBucket, readThrottles } from "../../../../infra/local/gateway/throttle.ts";

test("a bucket allows a burst, then its rate", () => {
  const bucket = createTokenBucket(10, 3, 0);
  expect([0, 0, 0, 0].map((at) => bucket.take(at))).toEqual([true, true, true, false]);
  expect([99, 100, 150, 200].map((at) => bucket.take(at))).toEqual([false, true, false, true]);
  expect([10_000, 10_000, 10_000, 10_000].map((at) => bucket.take(at))).toEqual([true, true, true, false]);
});

test("a setting for a method overrides the one for all methods, and there is no limit without a setting", () => {
  const throttles = readThrottles([
    { HttpMethod: "*", ResourcePath: "/*", ThrottlingRateLimit: 1, ThrottlingBurstLimit: 1 },
    { HttpMethod: "GET", ResourcePath: "/~1v1~1sessions", ThrottlingRateLimit: 1, ThrottlingBurstLimit: 2 },
  ]);
  const takes = (path: string, method: string) => {
    const bucket = throttles(path, method);
    return [bucket?.take(), bucket?.take(), bucket?.take()];
  };
  expect(takes("/v1/sessions", "GET")).toEqual([true, true, false]);
  expect(takes("/v1/sessions", "POST")).toEqual([true, false, false]);
  expect(readThrottles(undefined)("/", "GET")).toBeUndefined();
});
