import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  backOff,
  callAfter,
  callEvery,
  sleep,
  startStopwatch,
  timeLimit,
  toInstant,
  toSeconds,
  withPatience,
} from "../../shared/clock.ts";

beforeEach(() => void vi.useFakeTimers({ now: Date.parse("2026-11-21T12:00:00.000Z") }));
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const never = new Promise<string>(() => undefined);

describe("a time", () => {
  it("is converted to whole seconds and to an instant in UTC", () => {
    expect(toSeconds(1_795_262_400_999)).toBe(1_795_262_400);
    expect(toInstant(1_795_262_400_999)).toBe("2026-11-21T12:00:00.999Z");
  });
});

describe("a time limit", () => {
  it("is a signal that aborts when the time is over", async () => {
    vi.useRealTimers();
    const signal = timeLimit(10);
    expect(signal.aborted).toBe(false);
    await expect.poll(() => signal.aborted, { timeout: 10_000 }).toBe(true);
    expect(signal.reason.name).toBe("TimeoutError");
  });
});

describe("a stopwatch", () => {
  it("is not affected when the machine's clock is set", () => {
    vi.advanceTimersByTime(100);
    const elapsed = startStopwatch();
    vi.advanceTimersByTime(250);
    vi.setSystemTime(0);
    vi.advanceTimersByTime(250);
    expect(elapsed()).toBe(500);
  });
});

describe("a delayed call", () => {
  it("happens once at its time, or never if it is cancelled", () => {
    const [run, cancelled] = [vi.fn(), vi.fn()];
    callAfter(1000, run);
    callAfter(1000, cancelled)();
    vi.advanceTimersByTime(999);
    expect(run).not.toHaveBeenCalled();
    vi.advanceTimersByTime(10_000);
    expect(run).toHaveBeenCalledTimes(1);
    expect(cancelled).not.toHaveBeenCalled();
  });

  it("happens at once if its time is over", () => {
    const run = vi.fn();
    callAfter(-5, run);
    vi.advanceTimersByTime(0);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("does not happen at once if its time is beyond Node's longest timer", () => {
    const run = vi.fn();
    callAfter(Number.POSITIVE_INFINITY, run)();
    callAfter(2 ** 31, run);
    vi.advanceTimersByTime(1000);
    expect(run).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is repeated until it is ended", () => {
    const run = vi.fn();
    const end = callEvery(1000, run);
    vi.advanceTimersByTime(3500);
    end();
    vi.advanceTimersByTime(5000);
    expect(run).toHaveBeenCalledTimes(3);
  });
});

describe("waiting", () => {
  it("ends when its time is over, and leaves no listener on the signal", async () => {
    const { signal } = new AbortController();
    const [added, removed] = [vi.spyOn(signal, "addEventListener"), vi.spyOn(signal, "removeEventListener")];
    const slept = sleep(1000, signal).then(() => Date.now());
    await vi.advanceTimersByTimeAsync(5000);
    expect(await slept).toBe(Date.parse("2026-11-21T12:00:01.000Z"));
    expect(removed.mock.calls).toEqual(added.mock.calls);
  });

  it("ends with the signal's reason if it aborts first, and leaves no timer", async () => {
    const controller = new AbortController();
    const slept = sleep(1000, controller.signal);
    controller.abort(new Error("enough"));
    await expect(slept).rejects.toThrow("enough");
    await expect(sleep(1000, controller.signal)).rejects.toThrow("enough");
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("patience with work", () => {
  it("returns the result of the work, and leaves no timer", async () => {
    expect(await withPatience(1000, Promise.resolve("done"), "late")).toBe("done");
    await expect(withPatience(1000, Promise.reject(new Error("failed")), "late")).rejects.toThrow("failed");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("ends if the work takes longer", async () => {
    const patient = withPatience(1000, never, "late");
    await vi.advanceTimersByTimeAsync(1000);
    expect(await patient).toBe("late");
  });
});

describe("backing off", () => {
  it.each([
    [0, 0.5, 10],
    [3, 0.5, 80],
    [3, 0.999, 159],
    [20, 0.5, 1000],
  ])("before attempt %i waits a share of %d of the longest wait, %i ms", async (attempt, share, milliseconds) => {
    vi.spyOn(Math, "random").mockReturnValue(share);
    const done = vi.fn();
    void backOff(attempt).then(done);
    await vi.advanceTimersByTimeAsync(milliseconds - 1);
    expect(done).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(done).toHaveBeenCalledTimes(1);
  });
});
