import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limitsKey } from "../../../shared/dynamodb/keys.ts";
import { createTable, type Table } from "../../../shared/dynamodb/table.ts";
import { createLimits } from "../../../shared/limits/limits.dynamodb.ts";
import type { Limits, Reservation, ReserveRequest } from "../../../shared/limits/limits.ts";
import { planOf } from "../../../shared/limits/plans.ts";
import { createFaults } from "../../support/create-faults.ts";
import { type Engines, startEngines } from "../../support/engines.ts";

const MIDNIGHT = Date.parse("2026-11-22T00:00:00.000Z");
const DAY = 86_400_000;
const NOON = Date.parse("2026-11-21T12:00:10.000Z");
const plan = { name: "free", requests_per_minute: 60, tokens_per_day: 10_000 };

let engines: Engines;
let table: Table;
let limits: Limits;
let count = 0;

beforeAll(async () => {
  engines = await startEngines();
  table = createTable(engines.dynamodb, engines.tableName);
  limits = createLimits(table);
});
afterAll(() => engines.close());

const reserve = (user: string, tokens: number, more: Partial<ReserveRequest> = {}) => {
  const { now = NOON } = more;
  return limits.reserve({
    user,
    plan,
    id: `turn-${count++}`,
    tokens,
    least: tokens,
    now,
    until: now + 60_000,
    ...more,
  });
};
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

  it("give a turn that would set more aside than a day has no more than the day has", async () => {
    expect((await reserve("kim", 50_000, { least: 500 })).tokens).toBe(10_000);
    expect((await limits.usage("kim", NOON)).spent).toBe(10_000);
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

  it("get back once what a dead turn held, however many turns ask for it at once", async () => {
    await reserve("flo", 9000, { until: NOON + 1000 });
    const later = { now: NOON + 2000 };
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => reserve("flo", 1100, later)));
    const given = all.filter(({ status }) => status === "fulfilled").length;
    expect(given).toBeGreaterThan(0);
    expect((await limits.usage("flo", NOON)).spent).toBe(given * 1100);
  });

  it("say that nothing is left, not less than nothing, when late turns have overspent", async () => {
    const late = await reserve("gil", 9000, { until: NOON + 1000 });
    await limits.settle(await reserve("gil", 9000, { now: NOON + 2000 }), used(9000, 0), 0);
    await limits.settle(late, used(9000, 0), 0);
    expect((await limits.usage("gil", NOON)).spent).toBe(18_000);
    await expect(reserve("gil", 100)).rejects.toMatchObject({
      headers: { ratelimit: expect.stringContaining('"tokens";r=0;') },
    });
  });

  it("charge a turn that ends after its reservation was given back", async () => {
    const late = await reserve("gus", 9000, { until: NOON + 1000 });
    await reserve("gus", 5000, { now: NOON + 2000 });
    await limits.settle(late, used(100, 100), 0);
    expect((await limits.usage("gus", NOON)).spent).toBe(5200);
    // The settlement came to its end and is repeated.
    await limits.settle(late, used(100, 100), 0);
    expect(await limits.usage("gus", NOON)).toMatchObject({ spent: 5200, input_tokens: 100, output_tokens: 100 });
  });

  it("begin at zero on a new day, and keep nothing of days before yesterday", async () => {
    await limits.settle(await reserve("hal", 100), used(50, 50), 0);
    for (const now of [NOON + DAY, NOON + 2 * DAY]) {
      await limits.settle(await reserve("hal", 100, { now }), used(10, 10), 0);
      expect(await limits.usage("hal", now)).toMatchObject({ requests: 1, spent: 20 });
    }
    expect(await limits.usage("hal", NOON)).toMatchObject({ requests: 0, spent: 0 });
  });

  it("of a plan without any limit are counted, too", async () => {
    const unlimited = { plan: { name: "unlimited", requests_per_minute: 0, tokens_per_day: 0 } };
    const reservation = await reserve("ian", 1_000_000, unlimited);
    expect(reservation.headers).toEqual({});
    await limits.settle(reservation, used(5, 5), 0);
    expect(await limits.usage("ian", NOON)).toMatchObject({ requests: 1, spent: 10 });
  });
});

describe("the plan of a token", () => {
  it("is the one that it names, and the first when it names none or one that is not there", () => {
    const plans = {
      free: { requests_per_minute: 1, tokens_per_day: 2 },
      pro: { requests_per_minute: 3, tokens_per_day: 4 },
    };
    expect(planOf(plans, "pro")).toEqual({ name: "pro", requests_per_minute: 3, tokens_per_day: 4 });
    for (const claim of ["", "other", "toString", "constructor", "__proto__"]) {
      expect(planOf(plans, claim), claim).toEqual({ name: "free", requests_per_minute: 1, tokens_per_day: 2 });
    }
  });
});

describe("limits at midnight, with function instances whose clocks differ by seconds", () => {
  it("keep the new day's spending when a turn ends that began the day before", async () => {
    const late = await reserve("new-day", 1000, { now: MIDNIGHT - 200 });
    const next = await reserve("new-day", 7000, { now: MIDNIGHT + 100 });
    // The clock of this instance is a second behind: it sees counters of a day that has not begun for it.
    const behind = await reserve("new-day", 1000, { now: MIDNIGHT - 900 });
    await limits.settle(late, used(10, 10), 0);
    await limits.settle(behind, used(10, 10), 0);
    expect(await limits.usage("new-day", MIDNIGHT)).toMatchObject({ requests: 1, spent: 7000 });
    await limits.settle(next, used(500, 0), 0);
    expect(await limits.usage("new-day", MIDNIGHT)).toMatchObject({ requests: 1, input_tokens: 500, spent: 500 });
  });

  it("keep the old day's spending while turns of that day are under way", async () => {
    const late = await reserve("old-day", 9000, { now: MIDNIGHT - 200 });
    await limits.settle(await reserve("old-day", 100, { now: MIDNIGHT + 100 }), used(50, 50), 0);
    // For an instance whose clock is behind, the old day's budget still counts.
    await expect(reserve("old-day", 2000, { now: MIDNIGHT - 100 })).rejects.toMatchObject({
      code: "too_many_requests",
    });
    await limits.settle(late, used(100, 0), 0);
    expect(await limits.usage("old-day", MIDNIGHT - 1)).toMatchObject({ requests: 1, spent: 100 });
  });

  it("keep the requests of a minute when an instance is in the minute before or after", async () => {
    const few = { plan: { ...plan, requests_per_minute: 2 } };
    const minute = NOON + 50_000;
    const behind = await reserve("minute", 10, { ...few, now: minute - 100 });
    for (let n = 0; n < 2; n++) await reserve("minute", 10, { ...few, now: minute + 100 });
    await limits.settle(behind, used(1, 1), 0);
    await expect(reserve("minute", 10, { ...few, now: minute + 200 })).rejects.toMatchObject({ retryAfter: 60 });
    const ahead = await reserve("minute", 10, { ...few, now: minute + 60_000 });
    await limits.settle(ahead, used(1, 1), 0);
    await expect(reserve("minute", 10, { ...few, now: minute + 59_900 })).rejects.toMatchObject({
      code: "too_many_requests",
    });
  });

  it("are never overspent and never negative, in whatever order turns begin and end", {
    timeout: 120_000,
  }, async () => {
    // Each turn: which of two instances runs it, when it begins, how long it takes, what it sets aside and uses.
    const turns = fc.array(
      fc.record({
        isAhead: fc.boolean(),
        at: fc.integer({ min: -8000, max: 8000 }),
        takes: fc.integer({ min: 0, max: 12_000 }),
        tokens: fc.integer({ min: 500, max: 4000 }),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
        fails: fc.boolean(),
      }),
      { minLength: 8, maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(turns, fc.integer({ min: 0, max: 5000 }), async (all, drift) => {
        const user = `midnight-${count++}`;
        const steps = all.flatMap((turn, n) => [
          { n, at: turn.at, ends: false },
          { n, at: turn.at + turn.takes, ends: true },
        ]);
        const held = new Map<number, Reservation>();
        const spent: Record<string, number> = {};
        for (const { n, ends } of steps.sort((a, b) => a.at - b.at || Number(a.ends) - Number(b.ends))) {
          const { isAhead, at, tokens, share, fails } = all[n]!;
          if (!ends) {
            const now = MIDNIGHT + at + (isAhead ? drift : 0);
            const reservation = await reserve(user, tokens, { now, until: now + 60_000 }).catch(() => null);
            if (reservation) held.set(n, reservation);
          } else {
            const reservation = held.get(n);
            held.delete(n);
            if (!reservation) continue;
            const input = Math.floor(reservation.tokens * share);
            await limits.settle(reservation, fails ? null : used(input, 0), 0);
            if (!fails) spent[reservation.day] = (spent[reservation.day] ?? 0) + input;
          }
          for (const now of [MIDNIGHT - 1, MIDNIGHT]) {
            const usage = await limits.usage(user, now);
            const day = new Date(now).toISOString().slice(0, 10).replaceAll("-", "");
            const aside = [...held.values()].filter((one) => one.day === day);
            const expected = (spent[day] ?? 0) + aside.reduce((sum, one) => sum + one.tokens, 0);
            expect(usage.spent).toBe(expected);
            expect(usage.input_tokens).toBe(spent[day] ?? 0);
            expect(usage.spent).toBeLessThanOrEqual(plan.tokens_per_day);
          }
        }
      }),
      { numRuns: 25, seed: 1 },
    );
  });

  it("do not count what turns of another day hold as coming back soon", async () => {
    await reserve("held", 9000, { now: MIDNIGHT - 200 });
    await limits.settle(await reserve("held", 9900, { now: MIDNIGHT + 100 }), used(9900, 0), 0);
    await expect(reserve("held", 500, { now: MIDNIGHT + 200 })).rejects.toMatchObject({ retryAfter: 86_400 });
  });

  it("keep no counters, and nothing that dead turns held, of the day before yesterday and earlier", async () => {
    for (let n = 0; n < 150; n++) await reserve("tidy", 10, { now: NOON + n * 60_000, until: NOON + n * 60_000 + 1 });
    for (let n = 0; n < 4; n++) {
      const reservation = await reserve("tidy", 10, { now: NOON + 2 * DAY + n * 60_000 });
      // DynamoDB takes 300 operators and 4 KB in one expression.
      expect(reservation.stale.length).toBeLessThanOrEqual(100);
      await limits.settle(reservation, used(1, 1), 0);
    }
    const item = (await table.get(limitsKey("tidy"))) ?? {};
    const minute = Math.floor((NOON + 2 * DAY) / 60_000) + 3;
    const kept = ["c", "i", "n", "o", "s"].map((letter) => `${letter}20261123`);
    expect(Object.keys(item).sort()).toEqual(
      [...kept, `q${minute}`, `q${minute - 1}`, "expires_at", "pk", "sk"].sort(),
    );
  });
});

describe("a call whose answer is lost and which the SDK repeats", () => {
  let lost: ReturnType<typeof createFaults>;
  beforeAll(() => {
    lost = createFaults(engines.dynamodb);
  });

  it.each(["reserve", "settle"] as const)("counts once: %s", async (name) => {
    const user = `lost-${name}`;
    const fail = () => lost.next({ operation: "UpdateItem", when: "after", name: "TimeoutError", attempts: 1 });
    if (name === "reserve") fail();
    const reservation = await reserve(user, 4000);
    expect(reservation.tokens).toBe(4000);
    expect(await limits.usage(user, NOON)).toMatchObject({ requests: 1, spent: 4000 });
    if (name === "settle") fail();
    await limits.settle(reservation, used(300, 50), 0.5);
    expect(lost.pending()).toBe(0);
    expect(await limits.usage(user, NOON)).toEqual({
      requests: 1,
      input_tokens: 300,
      output_tokens: 50,
      cost_usd: 0.5,
      spent: 350,
    });
  });
});
