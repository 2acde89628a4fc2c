import { toSeconds } from "../clock.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { retention } from "../retention/policy.ts";
import { dimensionKey, type RawMetric } from "./aggregate.ts";
import { decodeDistinct, encodeDistinct } from "./distinct.ts";
import { aggregateKey, aggregatePartition, jobKey, RAW_SHARDS, rawPartition } from "./keys.ts";
import type { MetricStore, Windowed } from "./metric-store.ts";
import { decodeSketch, encodeSketch } from "./sketch.ts";
import { type Granularity, startOf, windowOf, windowsBetween } from "./window.ts";

const LIFETIME = {
  hour: retention.hourlyAggregate.seconds,
  day: retention.dailyAggregate.seconds,
  month: retention.monthlyAggregate.seconds,
} as const;

/** The windows that share a partition. */
const PARTITION = { hour: "day", day: "month", month: undefined } as const;

/** Sorts after everything that follows a window in a key. */
const LAST = "\u{10ffff}";

/** Metrics in the table `metrics`. */
export function createMetricStore(table: Pick<Table, "get" | "query" | "update" | "batchWrite">): MetricStore {
  return {
    shards: RAW_SHARDS,

    async *raw(hour, shard) {
      for await (const items of pages(table, { pk: rawPartition(hour, shard) })) yield items as unknown as RawMetric[];
    },

    async *aggregates(granularity, series, first, last) {
      for (const pk of partitionsOf(granularity, series, first, last)) {
        for await (const items of pages(table, { pk, first, last: `${last}#${LAST}` })) yield items.map(fromItem);
      }
    },

    put: (granularity, rows) =>
      table.batchWrite(
        rows.map((row) => toItem(granularity, row)),
        [],
      ),

    async checkpoint(of) {
      const item = await table.get(jobKey(`checkpoint-${of}`));
      return item?.through ? { since: String(item.since), through: String(item.through) } : null;
    },

    async advance(of, window) {
      await table.update({
        Key: jobKey(`checkpoint-${of}`),
        UpdateExpression: "SET through = :window, since = if_not_exists(since, :window)",
        ConditionExpression: "attribute_not_exists(through) OR through < :window",
        ExpressionAttributeValues: { ":window": window },
      });
    },
  };
}

function partitionsOf(granularity: Granularity, series: string, first: string, last: string): string[] {
  const unit = PARTITION[granularity];
  if (!unit) return [aggregatePartition(granularity, series, first)];
  return windowsBetween(unit, windowOf(unit, first), windowOf(unit, last)).map((window) =>
    aggregatePartition(granularity, series, window),
  );
}

async function* pages(
  table: Pick<Table, "query">,
  { pk, first, last }: { pk: string; first?: string; last?: string },
): AsyncIterable<Item[]> {
  let start: Item | undefined;
  do {
    const page = await table.query({
      KeyConditionExpression: first === undefined ? "pk = :pk" : "pk = :pk AND sk BETWEEN :first AND :last",
      ExpressionAttributeValues: { ":pk": pk, ...(first === undefined ? {} : { ":first": first, ":last": last }) },
      ExclusiveStartKey: start,
    });
    yield page.items;
    start = page.lastKey;
  } while (start);
}

function toItem(granularity: Granularity, row: Windowed): Item {
  const { window, sketch, users, ...rest } = row;
  const lifetime = LIFETIME[granularity];
  return {
    ...aggregateKey(granularity, row.series, window, dimensionKey(row.dimensions)),
    ...rest,
    window,
    sketch: encodeSketch(sketch),
    ...(users ? { users: encodeDistinct(users) } : {}),
    ...(lifetime === null ? {} : { expires_at: toSeconds(Date.parse(startOf(window))) + lifetime }),
  };
}

function fromItem(item: Item): Windowed {
  const { pk: _pk, sk: _sk, expires_at: _expires, sketch, users, ...rest } = item;
  return {
    ...(rest as unknown as Windowed),
    sketch: decodeSketch(sketch as Uint8Array),
    ...(users ? { users: decodeDistinct(users as Uint8Array) } : {}),
  };
}
