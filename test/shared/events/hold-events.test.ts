import { expect, it } from "vitest";
import type { Table } from "../../../shared/dynamodb/table.ts";
import { createEventStore } from "../../../shared/events/event-store.dynamodb.ts";
import { holdEvents } from "../../../shared/events/hold-events.ts";
import { eventShards } from "../../../shared/metrics/metric-keys.ts";
import { retention } from "../../../shared/retention/policy.ts";

const NOW = Date.parse("2026-11-21T03:30:00.000Z");
const DAY = 86_400_000;
/** The last day whose events expire within the next 30 days. */
const LAST = new Date(NOW + 30 * DAY - retention.event.seconds * 1000).toISOString().slice(0, 10);
const daysBefore = (days: number) => new Date(Date.parse(LAST) - days * DAY).toISOString().slice(0, 10);

/** Returns the days whose expiry is delayed, and until when, if events were exported through this day. */
async function held(through: string | undefined) {
  const days: string[] = [];
  const untils = new Set<number>();
  const count = await holdEvents({
    events: {
      hold: async (day, until) => {
        days.push(day);
        untils.add(until);
        return 2;
      },
    },
    store: { checkpoint: async () => (through === undefined ? null : ({ through } as never)) },
    clock: () => NOW,
  });
  expect(count).toBe(2 * days.length);
  for (const until of untils) expect(until).toBe(NOW + 30 * DAY);
  return days;
}

it("holdEvents delays the expiry of events that are not exported and about to expire", async () => {
  expect(await held(daysBefore(3))).toEqual([daysBefore(2), daysBefore(1), LAST]);
  expect(await held(LAST)).toEqual([]);
  expect(await held("2026-11-20")).toEqual([]);
});

it("holdEvents checks 30 days if nothing was ever exported", async () => {
  const days = await held(undefined);
  expect([days.length, days[0], days.at(-1)]).toEqual([31, daysBefore(30), LAST]);
});

it("holdEvents changes the events of all pages, but not those that expire later anyway", async () => {
  const until = NOW + 30 * DAY;
  const item = (id: string, expires_at: number) => ({ pk: "p", sk: id, id, expires_at });
  const pages = [[item("a", 1)], [item("b", until / 1000 - 1), item("c", until / 1000)], [item("d", 2)]];
  const written: unknown[] = [];
  const table = {
    async *pages({ ExpressionAttributeValues }: Parameters<Table["pages"]>[0]) {
      // Only one shard has events.
      const isFirst = String(ExpressionAttributeValues?.[":pk"]).endsWith(String(eventShards[0]));
      for (const items of isFirst ? pages : []) yield { items };
    },
    async update({ Key, ConditionExpression, ExpressionAttributeValues }: Parameters<Table["update"]>[0]) {
      // An erased event must not come back.
      expect(ConditionExpression).toBe("attribute_exists(pk)");
      written.push([Key?.sk, ExpressionAttributeValues?.[":at"]]);
      return { done: Key?.sk !== "b" };
    },
  } as unknown as Table;
  const seconds = until / 1000;
  expect(await createEventStore(table).hold("2026-01-01", until)).toBe(2);
  expect(written).toEqual([
    ["a", seconds],
    ["b", seconds],
    ["d", seconds],
  ]);
});
