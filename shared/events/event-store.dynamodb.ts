import pMap from "p-map";
import { toSeconds } from "../clock.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { EVENTS_BY_USER } from "../dynamodb/tables.ts";
import { eventKey, eventPartition, eventShards } from "../metrics/metric-keys.ts";
import { toRawItem } from "../metrics/recorder.dynamodb.ts";
import { parseStored } from "../parse-stored.ts";
import { redact } from "../redaction/redact.ts";
import { retention } from "../retention/policy.ts";
import type { EventRecord, EventStore } from "./event.ts";

/** Events whose expiry is changed at the same time. */
const HOLDS = 8;

/** Stores events in the table `metrics`. */
export function createEventStore(table: Pick<Table, "pages" | "batchWrite" | "update">): EventStore {
  return {
    async add(event) {
      const at = Date.parse(event.created_at);
      const metric = toRawItem(
        {
          kind: `event.${event.type}`,
          // Redact the name, because aggregates keep it longer than the event, and an erasure cannot find it there.
          dimensions: event.name === undefined ? {} : { event: redact(event.name) },
          // An event without a value counts, and adds 0 to the sum.
          measures: { value: event.value ?? 0 },
          user: event.user_id,
          at,
          id: event.id,
        },
        at,
      );
      await table.batchWrite([toItem(event, at), metric], []);
    },

    async *ofDay(day) {
      for await (const items of itemsOf(table, day)) yield items.map(fromItem);
    },

    async *ofUser(user, after = "") {
      const pages = table.pages({
        IndexName: EVENTS_BY_USER,
        KeyConditionExpression: "user_id = :user AND sk > :after",
        ExpressionAttributeValues: { ":user": user, ":after": after },
      });
      for await (const { items } of pages) {
        const last = items.at(-1);
        if (last) yield { events: items.map(fromItem), last: String(last.sk) };
      }
    },

    async hold(day, until) {
      const expires_at = toSeconds(until);
      let held = 0;
      for await (const items of itemsOf(table, day)) {
        const early = items.filter((item) => Number(item.expires_at) < expires_at);
        await pMap(
          early,
          async ({ pk, sk }) => {
            // An erasure may delete the event meanwhile. TTL cannot, because its expiry is delayed weeks before.
            const { done } = await table.update({
              Key: { pk, sk },
              UpdateExpression: "SET expires_at = :at",
              ConditionExpression: "attribute_exists(pk)",
              ExpressionAttributeValues: { ":at": expires_at },
            });
            if (done) held++;
          },
          { concurrency: HOLDS },
        );
      }
      return held;
    },
  };
}

async function* itemsOf(table: Pick<Table, "pages">, day: string): AsyncIterable<Item[]> {
  for (const shard of eventShards) {
    const partition = {
      KeyConditionExpression: "pk = :pk",
      ExpressionAttributeValues: { ":pk": eventPartition(day, shard) },
    };
    for await (const { items } of table.pages(partition)) yield items;
  }
}

function toItem({ metadata, ...event }: EventRecord, at: number): Item {
  return {
    ...eventKey(at, event.id),
    ...event,
    ...(metadata === undefined ? {} : { metadata: JSON.stringify(metadata) }),
    expires_at: toSeconds(at) + retention.event.seconds,
  };
}

function fromItem(item: Item): EventRecord {
  const { pk: _pk, sk: _sk, expires_at: _expires, metadata, ...event } = item;
  return {
    ...(event as unknown as EventRecord),
    ...(metadata === undefined ? {} : { metadata: parseStored(metadata, "the metadata of an event") }),
  };
}
