import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startSchedule } from "../../../../infra/local/events/schedule.ts";
import { parseSchedule } from "../../../../infra/local/events/schedule-expression.ts";

describe("a schedule expression", () => {
  it.each([
    ["rate(1 minute)", ["2026-11-21T10:08:00", "2026-11-21T10:09:00"]],
    ["rate(15 minutes)", ["2026-11-21T10:15:00", "2026-11-21T10:30:00"]],
    ["rate(1 hour)", ["2026-11-21T11:00:00", "2026-11-21T12:00:00"]],
    ["rate(1 day)", ["2026-11-22T00:00:00", "2026-11-23T00:00:00"]],
    ["cron(0/15 * * * ? *)", ["2026-11-21T10:15:00", "2026-11-21T10:30:00"]],
    ["cron(5/30 10 * * ? *)", ["2026-11-21T10:35:00", "2026-11-22T10:05:00"]],
    ["cron(0 12 ? * MON-FRI *)", ["2026-11-23T12:00:00", "2026-11-24T12:00:00"]],
    ["cron(0 12 ? * 2-6 *)", ["2026-11-23T12:00:00", "2026-11-24T12:00:00"]],
    ["cron(0 0 ? * 1 *)", ["2026-11-22T00:00:00", "2026-11-29T00:00:00"]],
    ["cron(0 10 L * ? *)", ["2026-11-30T10:00:00", "2026-12-31T10:00:00"]],
    ["cron(0 10 ? * 6L *)", ["2026-11-27T10:00:00", "2026-12-25T10:00:00"]],
    ["cron(0 10 ? * FRIL *)", ["2026-11-27T10:00:00", "2026-12-25T10:00:00"]],
    ["cron(0 10 ? * L *)", ["2026-11-28T10:00:00", "2026-12-05T10:00:00"]],
    ["cron(0 10 ? * 2#1 *)", ["2026-12-07T10:00:00", "2027-01-04T10:00:00"]],
    ["cron(0 10 3W * ? *)", ["2026-12-03T10:00:00", "2027-01-04T10:00:00"]],
    ["cron(0 0 1 1/6 ? 2027-2028)", ["2027-01-01T00:00:00", "2027-07-01T00:00:00"]],
    ["cron(30 8 1 JAN ? 2030)", ["2030-01-01T08:30:00", undefined]],
    ["cron(0 0 1 1 ? 2020)", [undefined, undefined]],
  ])("%s", (expression, expected) => {
    const next = parseSchedule(expression);
    const first = next(new Date("2026-11-21T10:07:30Z"));
    const second = first && next(first);
    expect([first, second].map((time) => time?.toISOString().slice(0, 19))).toEqual(expected);
  });

  it.each([
    ["every hour", "neither rate"],
    ["rate(1 hours)", "not a rate"],
    ["rate(5 minute)", "not a rate"],
    ["rate(0 minutes)", "not a rate"],
    ["cron(0 12 * * *)", "six fields"],
    ["cron(0 12 * * * *)", 'must have "?"'],
    ["cron(0 12 ? * ? *)", 'must have "?"'],
    ["cron(99 12 * * ? *)", "cannot be read"],
  ])("is refused when it is malformed: %s", (expression, message) => {
    expect(() => parseSchedule(expression)).toThrow(message);
  });
});

describe("a schedule", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: new Date("2026-11-21T10:07:30Z") });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const ruleArn = "arn:aws:events:eu-west-1:123456789012:rule/reconcile";

  it("fires EventBridge's event at each time of its expression until it is stopped", async () => {
    const events: object[] = [];
    const fire = async (event: object) => void events.push(event);
    const schedule = startSchedule({ expression: "rate(15 minutes)", ruleArn, fire, log: () => undefined });
    await vi.advanceTimersByTimeAsync(30 * 60_000);
    expect(events).toEqual(
      ["2026-11-21T10:15:00Z", "2026-11-21T10:30:00Z"].map((time) => ({
        version: "0",
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        "detail-type": "Scheduled Event",
        source: "aws.events",
        account: "123456789012",
        time,
        region: "eu-west-1",
        resources: [ruleArn],
        detail: {},
      })),
    );
    schedule.stop();
    await vi.advanceTimersByTimeAsync(60 * 60_000);
    expect(events).toHaveLength(2);
  });

  it("waits longer than the longest timer", async () => {
    let fired = 0;
    const fire = async () => void fired++;
    const schedule = startSchedule({ expression: "cron(0 0 1 3 ? 2027)", ruleArn, fire, log: () => undefined });
    await vi.advanceTimersByTimeAsync(99 * 86_400_000);
    expect(fired).toBe(0);
    await vi.advanceTimersByTimeAsync(86_400_000);
    expect(fired).toBe(1);
    schedule.stop();
  });

  it("fires every few seconds if so configured, and skips a run while the previous one is going on", async () => {
    let fired = 0;
    const lines: string[] = [];
    const schedule = startSchedule({
      expression: "rate(1 day)",
      ruleArn,
      everySeconds: 10,
      fire: async () => {
        fired++;
        if (fired === 1) await new Promise((resolve) => setTimeout(resolve, 15_000));
        if (fired === 2) throw new Error("broken");
      },
      log: (line) => lines.push(line),
    });
    await vi.advanceTimersByTimeAsync(40_500);
    schedule.stop();
    expect(fired).toBe(3);
    expect(lines).toEqual([expect.stringContaining("has not ended"), expect.stringContaining("Error: broken")]);
  });

  it("never fires while it is disabled", async () => {
    let fired = 0;
    startSchedule({
      expression: "rate(1 minute)",
      ruleArn,
      state: "DISABLED",
      fire: async () => void fired++,
      log: () => undefined,
    });
    await vi.advanceTimersByTimeAsync(600_000);
    expect(fired).toBe(0);
  });
});
