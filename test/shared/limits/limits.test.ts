import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { createLimits } from "../../../shared/limits/limits.dynamodb.ts";
import type { Limits, Reservation } from "../../../shared/limits/limits.ts";
import { type Engines, startEngines } from "../../support/engines.ts";

const NOON = Date.parse("2026-11-21T12:00:10.000Z");
const plan = { name: "free", requests_per_minute: 60, tokens_per_day: 10_000 };

let engines: Engines;
let limits: Limits;
let count = 0;

beforeAll(async () => {
  engines = await startEngines();
  limits = createLimits(createTable(engines.dynamodb, engines.tableName));
});
afterAll(() => engines.close());

const reserve = (user: string, tokens: number, more = {}) =>
  limits.reserve({
    user,
    plan,
    id: `turn-${count++}`,
    tokens,
    least: tokens,
    now: NOON,
    until: NOON + 60_000,
    ...more,
  });
const used = (input_tokens: number, output_tokens: number) => ({ input_tokens, output_tokens });

describe("limits", () => {
  it("charge what was used, not what was set aside", async () => {
    const reservation = await reserve("ann", 4000);
    expect(await limits.usage("ann", NOON)).toMatchObject({ requests: 1, spent: 4000, input_tokens: 0 });
    await limits.settle(reservation, used(300, 50), 0.00123);
    expect(await limits.usage("ann", NOON)).toEqual({
      requests: 1,
      input_tokens: 300,
      output_tokens: 50,
      cost_usd: 0.00123,
      spent: 350,
    });
  });

  it("say with every turn what is left", async () => {
    const { headers } = await reserve("amy", 4000);
    expect(headers).toEqual({
      "ratelimit-policy": '"requests";q=60;w=60, "tokens";q=10000;w=86400',
      ratelimit: '"requests";r=59;t=50, "tokens";r=6000;t=43190',
    });
  });

  it("refuse the request after the last one of a minute, until the next", async () => {
    const few = { plan: { ...plan, requests_per_minute: 3 } };
    for (let n = 0; n < 3; n++) await limits.settle(await reserve("bob", 10, few), used(1, 1), 0);
    await expect(reserve("bob", 10, few)).rejects.toMatchObject({
      code: "too_many_requests",
      retryAfter: 50,
      headers: { "ratelimit-policy": expect.stringContaining('"requests";q=3;w=60') },
    });
    await reserve("bob", 10, { ...few, now: NOON + 50_000 });
  });

  it("are not overspent by 50 turns at once", async () => {
    // Each sets 1,000 of 10,000 aside, and uses 900.
    const turn = async (): Promise<number> => {
      const reservation: Reservation = await reserve("cat", 1000);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await limits.settle(reservation, used(800, 100), 0);
      return 900;
    };
    const results = await Promise.allSettled(Array.from({ length: 50 }, turn));
    const spent = results.reduce((sum, result) => sum + (result.status === "fulfilled" ? result.value : 0), 0);
    const usage = await limits.usage("cat", NOON);
    expect(spent).toBeGreaterThanOrEqual(9000);
    expect(usage.spent).toBe(spent);
    expect(usage.spent).toBeLessThanOrEqual(10_000);
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "too_many_requests" });
    }
  });

  it("give what is left to a turn that can do with it", async () => {
    await limits.settle(await reserve("dan", 9000), used(9000, 0), 0);
    expect((await reserve("dan", 4000, { least: 500 })).tokens).toBe(1000);
    await expect(reserve("dan", 4000, { least: 500 })).rejects.toMatchObject({
      code: "too_many_requests",
      retryAfter: 5,
    });
  });

  it("say to come back tomorrow when the day's tokens are used", async () => {
    await limits.settle(await reserve("eve", 9900), used(9900, 0), 0);
    await expect(reserve("eve", 500)).rejects.toMatchObject({ retryAfter: 43_190 });
    await reserve("eve", 500, { now: NOON + 86_400_000 });
  });

  it("get back what a turn held that died", async () => {
    await reserve("fay", 9000, { until: NOON + 1000 });
    await expect(reserve("fay", 5000)).rejects.toMatchObject({ code: "too_many_requests" });
    expect((await reserve("fay", 5000, { now: NOON + 2000 })).tokens).toBe(5000);
    expect((await limits.usage("fay", NOON)).spent).toBe(5000);
  });

  it("charge a turn that ends after it was given up", async () => {
    const late = await reserve("gus", 9000, { until: NOON + 1000 });
    await reserve("gus", 5000, { now: NOON + 2000 });
    await limits.settle(late, used(100, 100), 0);
    expect((await limits.usage("gus", NOON)).spent).toBe(5200);
  });

  it("keep nothing of the days and minutes before", async () => {
    await limits.settle(await reserve("hal", 100), used(50, 50), 0);
    const tomorrow = NOON + 86_400_000;
    await limits.settle(await reserve("hal", 100, { now: tomorrow }), used(10, 10), 0);
    expect(await limits.usage("hal", NOON)).toMatchObject({ requests: 0, spent: 0 });
    expect(await limits.usage("hal", tomorrow)).toMatchObject({ requests: 1, spent: 20 });
  });

  it("of a plan without any count all the same", async () => {
    const unlimited = { plan: { name: "unlimited", requests_per_minute: 0, tokens_per_day: 0 } };
    const reservation = await reserve("ian", 1_000_000, unlimited);
    expect(reservation.headers).toEqual({});
    await limits.settle(reservation, used(5, 5), 0);
    expect(await limits.usage("ian", NOON)).toMatchObject({ requests: 1, spent: 10 });
  });
});
