import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createAsynchronousInvoker } from "../../../../infra/local/lambda/asynchronous.ts";
import type { LambdaFunction } from "../../../../infra/local/lambda/lambda-function.ts";

let invoked = 0;
const warnings: string[] = [];
const failing: LambdaFunction = {
  name: "Stack-failing1A2B",
  label: "failing",
  arn: "arn",
  async invoke() {
    invoked += 1;
    const error = { errorType: "TypeError", errorMessage: "bad" };
    return { requestId: "r", payload: JSON.stringify(error), error };
  },
  stop: async () => {},
};
const create = () =>
  createAsynchronousInvoker(
    () => ({}),
    (text) => void warnings.push(text),
  );

beforeEach(() => {
  vi.useFakeTimers();
  invoked = 0;
  warnings.length = 0;
});
afterEach(() => {
  vi.useRealTimers();
});

test("a failed event is retried after one minute and after two more, with a warning per failure", async () => {
  const asynchronous = create();
  await asynchronous.attempt(failing, '{"a":1}');
  await vi.advanceTimersByTimeAsync(59_999);
  expect(invoked).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(invoked).toBe(2);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(invoked).toBe(3);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(invoked).toBe(3);
  expect(warnings).toEqual([
    "failing: an event failed, retrying in 60 s: TypeError: bad",
    "failing: an event failed, retrying in 120 s: TypeError: bad",
    "failing: an event failed: TypeError: bad",
    'failing: an event failed 3 times and is dropped: {"a":1}',
  ]);
});

test("stopping cancels waiting retries", async () => {
  const asynchronous = create();
  await asynchronous.attempt(failing, "{}");
  await asynchronous.stop();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(invoked).toBe(1);
});
