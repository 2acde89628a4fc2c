import { toSeconds } from "../clock.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { retention } from "../retention/policy.ts";
import { dimensionKey, type RawMetric } from "./aggregate.ts";
import { decodeDistinct, encodeDistinct } from "./distinct.ts";
import { aggregateKey, aggregatePartition, jobKey, PARTITION, RAW_SHARDS, rawPartition } from "./metric-keys.ts";
import type { MetricStore, Windowed } from "./metric-store.ts";
import { decodeSketch, encodeSketch } from "./sketch.ts";
import { type Granularity, startOf, windowOf, windowsBetween } from "./window.ts";

const lifetimeOf = (granularity: Granularity): number | null =>
  ({ hour: retention.hourlyAggregate, day: retention.dailyAggregate, month: retention.monthlyAggregate })[granularity]
    .seconds;

/** A character that sorts after every character that can follow a window in a key. */
const LAST = "\u{10ffff}";

/** Stores metrics in the table `metrics`. */
export function createMetricStore(table: Pick<Table, "get" | "pages" | "update" | "batchWrite">): MetricStore {
  return {
    shards: RAW_SHARDS,

    async *raw(hour, shard) {
      const partition = {
        KeyConditionExpression: "pk = :pk",
        ExpressionAttributeValues: { ":pk": rawPartition(hour, shard) },
      };
      for await (const { items } of table.pages(partition)) yield items as unknown as RawMetric[];
    },

    async *aggregates(granularity, series, first, last) {
      for (const pk of partitionsOf(granularity, series, first, last)) {
        const range = {
          KeyConditionExpression: "pk = :pk AND sk BETWEEN :first AND :last",
          ExpressionAttributeValues: { ":pk": pk, ":first": first, ":last": `${last}#${LAST}` },
        };
        for await (const { items } of table.pages(range)) yield items.map(fromItem);
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

function toItem(granularity: Granularity, row: Windowed): Item {
  const { window, sketch, users, ...rest } = row;
  const lifetime = lifetimeOf(granularity);
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
