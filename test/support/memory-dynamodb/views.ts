/**
 * What DynamoDB makes of a table's changes after they were acknowledged: a replica for eventually consistent reads, the secondary
 * indexes and the vector indexes. Each change reaches each view by `lag`, which may hold it back.
 */
import type { IndexSpec, TableSpec, VectorIndexSpec } from "../../../shared/dynamodb/tables.ts";
import type { Item } from "./expressions.ts";

/** Names the view of eventually consistent reads of the table itself. */
export const REPLICA = "replica";

/** Carries a change of an item over into a view, now or later; the changes of one item have to stay in their order. */
export type Lag = (view: string, key: string, apply: () => void) => void;

const atOnce: Lag = (_view, _key, apply) => apply();

/** Items by partition and by their keys in the table. */
type Partitions = Map<string, Map<string, Item>>;

export interface View {
  /** Items of a partition, in the order of their sort keys. */
  partition(value: string): Item[];
}

export function createViews(spec: TableSpec, lag: Lag = atOnce) {
  const views = new Map<
    string,
    { partitionOf: (item: Item) => string | undefined; items: Partitions; sortKey: string }
  >();
  const add = (name: string, sortKey: string, partitionOf: (item: Item) => string | undefined) =>
    views.set(name, { partitionOf, items: new Map(), sortKey });

  add(REPLICA, spec.sortKey, (item) => text(item[spec.partitionKey]));
  for (const [name, index] of Object.entries(spec.indexes))
    add(name, index.sortKey, (item) => indexPartition(index, item));
  for (const [name, index] of Object.entries(spec.vectorIndexes ?? {})) {
    add(name, spec.sortKey, (item) => vectorPartition(index, item));
  }

  return {
    /** Takes note of a change: an item that was put (`after`), or deleted (`null`). */
    changed(key: string, before: Item | null, after: Item | null): void {
      for (const [name, { partitionOf, items }] of views) {
        const from = before ? partitionOf(before) : undefined;
        const to = after ? partitionOf(after) : undefined;
        if (from === undefined && to === undefined) continue;
        lag(name, key, () => {
          if (from !== undefined) items.get(from)?.delete(key);
          if (to === undefined || !after) return;
          const partition = items.get(to) ?? new Map<string, Item>();
          items.set(to, partition);
          partition.set(key, after);
        });
      }
    },

    view(name: string): View {
      const view = views.get(name);
      if (!view) throw new Error(`no such index: ${name}`);
      return {
        partition: (value) =>
          [...(view.items.get(value) ?? [])]
            .sort(([a, left], [b, right]) => {
              const [x, y] = [String(left[view.sortKey]), String(right[view.sortKey])];
              return x < y ? -1 : x > y ? 1 : a < b ? -1 : 1;
            })
            .map(([, item]) => item),
      };
    },
  };
}

/** An item is in an index when it has both of the index's keys. */
const indexPartition = ({ partitionKey, sortKey }: IndexSpec, item: Item): string | undefined =>
  item[sortKey] === undefined ? undefined : text(item[partitionKey]);

const vectorPartition = ({ partitionKey, vector }: VectorIndexSpec, item: Item): string | undefined =>
  Array.isArray(item[vector]) ? text(item[partitionKey]) : undefined;

const text = (value: unknown): string | undefined => (value === undefined ? undefined : String(value));
