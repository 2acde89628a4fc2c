import { DeleteCommand, ScanCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createExportJob } from "../../../functions/jobs/export.ts";
import { createAuditStore } from "../../../shared/audit/audit-store.dynamodb.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { createEventStore } from "../../../shared/events/event-store.dynamodb.ts";
import { holdEvents } from "../../../shared/events/hold-events.ts";
import { createLake } from "../../../shared/lake/lake.s3.ts";
import { createPseudonyms } from "../../../shared/lake/pseudonyms.ts";
import { createMetricStore } from "../../../shared/metrics/metric-store.dynamodb.ts";
import { retention } from "../../../shared/retention/policy.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { readPartition } from "../../support/partition.ts";

const DAY = 86_400_000;
const NIGHT = Date.parse("2026-03-02T00:50:00.000Z");
const YEAR = retention.event.seconds * 1000;

let engines: Engines;
let now = NIGHT;
beforeAll(() => void vi.spyOn(console, "log").mockImplementation(() => undefined));
afterAll(() => vi.restoreAllMocks());
beforeEach(async () => {
  engines = await startEngines();
  now = NIGHT;
  return () => engines.close();
});

const clock = () => now;
const ports = () => {
  const table = createTable(engines.dynamodb, engines.metricsTable);
  return { events: createEventStore(table), store: createMetricStore(table), clock };
};

/** Runs the nightly export, with time for a number of days. */
async function exporting(event: { from?: string } = {}, days = 1000): Promise<void> {
  const lake = createLake(engines.s3, engines.bucket);
  const pseudonym = createPseudonyms("key");
  let looks = 0;
  await createExportJob({
    open: async () => ({
      ...ports(),
      lake,
      audit: createAuditStore(createTable(engines.dynamodb, "audit")),
      findErasures: async () => [],
      pseudonym,
      content: "full",
    }),
    // A second passes with each day.
    clock: () => now + 1000 * looks++,
  })(event, { getRemainingTimeInMillis: () => 120_000 + days * 1000 });
}

const happens = (id: string, day: string) =>
  ports().events.add({ id, user_id: "ann", type: "custom", created_at: `${day}T12:00:00.000Z` });

const inLake = async (day: string) =>
  (await readPartition(engines, "events", day)).map(({ event_id }) => String(event_id)).sort();

/** Deletes expired items, as TTL does, and returns the ids of events. */
async function sweep(): Promise<string[]> {
  const { Items = [] } = await engines.dynamodb.send(new ScanCommand({ TableName: engines.metricsTable }));
  const expired = Items.filter(({ expires_at }) => Number(expires_at) <= now / 1000);
  for (const { pk, sk } of expired) {
    await engines.dynamodb.send(new DeleteCommand({ TableName: engines.metricsTable, Key: { pk, sk } }));
  }
  return expired.filter(({ pk }) => String(pk).startsWith("E#")).map(({ id }) => String(id));
}

describe("the events of a user", () => {
  it("are listed by time without those of others, and the list continues where it ended", async () => {
    const { events } = ports();
    const whole = {
      session_id: "s",
      message_id: "m",
      value: 1.5,
      name: "n",
      metadata: { a: [1] },
      created_at: "2026-03-01T12:00:00.000Z",
    };
    await happens("later", "2026-03-02");
    await events.add({ id: "first", user_id: "ann", type: "feedback", ...whole });
    await events.add({ id: "other", user_id: "bob", type: "feedback", ...whole });
    const list = async (after?: string) => {
      const found = [];
      for await (const page of events.ofUser("ann", after)) found.push(...page.events);
      return found;
    };
    expect(await list()).toEqual([
      { id: "first", user_id: "ann", type: "feedback", ...whole },
      { id: "later", user_id: "ann", type: "custom", created_at: "2026-03-02T12:00:00.000Z" },
    ]);
    expect((await list("2026-03-01T12:00:00.000Z#first")).map(({ id }) => id)).toEqual(["later"]);
    for await (const { last } of events.ofUser("ann")) expect(last).toBe("2026-03-02T12:00:00.000Z#later");
  });
});

describe("an event that TTL deletes", () => {
  it("is in the lake from the day after it was created, and stays there", async () => {
    await happens("one", "2026-03-01");
    await exporting();
    expect(await inLake("2026-03-01")).toEqual(["one"]);
    now += YEAR - 14 * DAY;
    await ports().store.advance("export", "2027-02-13");
    expect(await holdEvents(ports())).toBe(0);
    now += 14 * DAY;
    expect(await sweep()).toEqual(["one"]);
    // A day that has lost some of its events is not exported again.
    await exporting({ from: "2026-02-27" }, 20);
    expect(await inLake("2026-03-01")).toEqual(["one"]);
  });

  it("is in the lake even if the export has failed for longer than events are kept", async () => {
    await exporting();
    await happens("late", "2026-03-02");
    for (let week = 0; week < 60; week++) {
      now += 7 * DAY;
      await holdEvents(ports());
      if (week > 50) expect(await sweep()).toEqual([]);
    }
    expect(now - NIGHT).toBeGreaterThan(YEAR + 30 * DAY);
    await exporting({}, 5);
    expect(await inLake("2026-03-02")).toEqual(["late"]);
    expect(await holdEvents(ports())).toBe(0);
    now += 31 * DAY;
    expect(await sweep()).toEqual(["late"]);
  });
});

describe("the export", () => {
  it("includes the days before a late first run", async () => {
    await happens("early", "2026-02-10");
    await exporting();
    expect(await inLake("2026-02-10")).toEqual(["early"]);
  });

  it("leaves no gap when an operator asks for a day after the checkpoint", async () => {
    await exporting();
    await happens("between", "2026-03-04");
    now += 10 * DAY;
    await exporting({ from: "2026-03-09" });
    expect(await inLake("2026-03-04")).toEqual(["between"]);
  });
});
