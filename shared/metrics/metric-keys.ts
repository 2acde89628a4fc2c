import { toInstant } from "../clock.ts";
import type { Key } from "../dynamodb/keys.ts";
import { fnv1a } from "../hash.ts";
import { type Granularity, windowOf } from "./window.ts";

/**
 * The keys of the table `metrics`, in one place.
 *
 *   R#<hour>#<shard>      <instant>#<id>        raw metric
 *   H#<day>#<series>      <hour>#<dimensions>   hourly aggregate
 *   D#<month>#<series>    <day>#<dimensions>    daily aggregate
 *   M#<series>            <month>#<dimensions>  monthly aggregate
 *   E#<day>#<shard>       <instant>#<id>        event
 *   J                     <name>                state of a job: checkpoint and last success
 *
 * A read of a window of any size takes a limited number of Queries, and no Query reads beyond its window.
 */

/**
 * Number of partitions of an hour's raw metrics. It is enough for 4,000 metrics per second (1,000 requests, each with an LLM, an embedding
 * and a search call): 500 per second and partition, of the 1,000 writes that DynamoDB accepts. It is small, because a read of an hour queries
 * all partitions.
 */
export const RAW_SHARDS = 8;

/** Number of partitions of a day's events. At 200 events per second, each partition gets 50. */
const EVENT_SHARDS = 4;

export const rawShards: readonly number[] = Array.from({ length: RAW_SHARDS }, (_, n) => n);
export const eventShards: readonly number[] = Array.from({ length: EVENT_SHARDS }, (_, n) => n);

/** @param at epoch milliseconds */
export function rawKey(at: number, id: string): Key {
  return {
    pk: rawPartition(windowOf("hour", toInstant(at)), shardOf(id, RAW_SHARDS)),
    sk: `${toInstant(at)}#${id}`,
  };
}

/** @param hour such as 2026-11-21T09 */
export function rawPartition(hour: string, shard: number): string {
  return `R#${hour}#${digits(shard)}`;
}

export function eventKey(at: number, id: string): Key {
  return {
    pk: eventPartition(windowOf("day", toInstant(at)), shardOf(id, EVENT_SHARDS)),
    sk: `${toInstant(at)}#${id}`,
  };
}

export function eventPartition(day: string, shard: number): string {
  return `E#${day}#${digits(shard)}`;
}

const TIER = { hour: "H", day: "D", month: "M" } as const;
/** Returns the larger window whose aggregates share a partition. */
export const PARTITION = { hour: "day", day: "month", month: undefined } as const;

/** @param window the window of the aggregate, or the larger one that shares its partition */
export function aggregatePartition(granularity: Granularity, series: string, window: string): string {
  const unit = PARTITION[granularity];
  return `${TIER[granularity]}#${unit ? `${windowOf(unit, window)}#` : ""}${series}`;
}

/** @param dimensions such as `route=GET /v1/sessions&status=2xx` */
export function aggregateKey(granularity: Granularity, series: string, window: string, dimensions: string): Key {
  return {
    pk: aggregatePartition(granularity, series, window),
    sk: `${window}#${dimensions}`,
  };
}

export function jobKey(name: string): Key {
  return { pk: "J", sk: name };
}

const digits = (shard: number): string => String(shard).padStart(2, "0");
const shardOf = (id: string, shards: number): number => fnv1a(id) % shards;
