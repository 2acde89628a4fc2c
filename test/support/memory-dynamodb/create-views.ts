/**
 * The views that DynamoDB updates after a change was acknowledged: a replica for eventually consistent reads, secondary indexes
 * and vector indexes. `lag` can delay each change of each view.
 */
import type { IndexSpec, TableSpec, VectorIndexSpec } from "../../../shared/dynamodb/tables.ts";
import type { Item } from "./expressions.ts";

/** The name of the replica for eventually consistent reads. */
export const REPLICA = "replica";

/** Applies a change of an item to a view, now or later. The changes of one item must stay in their order. */
export type Lag = (view: string, key: string, apply: () => void) => void;

const atOnce: Lag = (_view, _key, apply) => apply();

/** Items by partition and by their keys in the table. */
type Partitions = Map<string, Map<string, Item>>;

interface View {
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
    /** Records a change: `after` is the new item, `null` = the item was deleted. */
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

/** An index contains the items that have both of its keys. */
const indexPartition = ({ partitionKey, sortKey }: IndexSpec, item: Item): string | undefined =>
  item[sortKey] === undefined ? undefined : text(item[partitionKey]);

const vectorPartition = ({ partitionKey, vector }: VectorIndexSpec, item: Item): string | undefined =>
  Array.isArray(item[vector]) ? text(item[partitionKey]) : undefined;

const text = (value: unknown): string | undefined => (value === undefined ? undefined : String(value));
