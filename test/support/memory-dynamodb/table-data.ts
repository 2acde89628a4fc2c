/** One table in memory: items sorted by key, every change for the stream, and deletions by TTL. */
import type { TableSpec } from "../../../shared/dynamodb/tables.ts";
import { createViews, type Lag } from "./create-views.ts";
import { conditionFailed, invalid, transactionCanceled } from "./errors.ts";
import {
  attributeOf,
  compileCondition,
  compileUpdate,
  type Item,
  namesOf,
  type Placeholders,
  placeholdersIn,
} from "./expressions.ts";
import { copyOf, isEqual, itemSize } from "./values.ts";

/** Maximum of bytes in one item. */
const MAX_ITEM = 400 * 1024;

/** A change of an item, as in the stream. */
export interface Change {
  kind: "INSERT" | "MODIFY" | "REMOVE";
  before: Item | null;
  after: Item | null;
  /** Deleted by DynamoDB's TTL, not by a request. */
  byTtl: boolean;
}

/** The expressions of a request, with their placeholders. */
export interface Expressions {
  ConditionExpression?: string | undefined;
  UpdateExpression?: string | undefined;
  KeyConditionExpression?: string | undefined;
  FilterExpression?: string | undefined;
  ProjectionExpression?: string | undefined;
  SearchConditionExpression?: string | undefined;
  ExpressionAttributeNames?: Record<string, string> | undefined;
  ExpressionAttributeValues?: Record<string, unknown> | undefined;
}

export type Write = Expressions & {
  verb: "Put" | "Update" | "Delete" | "ConditionCheck";
  Item?: Item;
  Key?: Item;
  ReturnValuesOnConditionCheckFailure?: string | undefined;
};

interface Planned {
  write: Write;
  key: Key;
  before: Item | null;
  after: Item | null;
  passes: boolean;
}

interface Key {
  pk: string;
  sk: string;
}

export function createTableData(
  spec: TableSpec,
  options: { lag?: Lag | undefined; onChange?: (change: Change) => void } = {},
) {
  const partitions = new Map<string, Map<string, Item>>();
  const views = createViews(spec, options.lag);

  const keyOf = (item: Item | undefined): Key => {
    const [pk, sk] = [item?.[spec.partitionKey], item?.[spec.sortKey]];
    if (typeof pk !== "string" || typeof sk !== "string" || pk === "" || sk === "") {
      throw invalid("One or more parameter values were invalid: the key is missing or empty");
    }
    return { pk, sk };
  };

  const find = ({ pk, sk }: Key): Item | null => partitions.get(pk)?.get(sk) ?? null;

  function store({ pk, sk }: Key, before: Item | null, after: Item | null, byTtl: boolean): void {
    if (!before && !after) return;
    const partition = partitions.get(pk) ?? new Map<string, Item>();
    if (after) partition.set(sk, after);
    else partition.delete(sk);
    if (partition.size > 0) partitions.set(pk, partition);
    else partitions.delete(pk);
    // DynamoDB's stream has no record of a write that changes nothing.
    if (before && after && isEqual(before, after)) return;
    views.changed(`${pk}\n${sk}`, before, after);
    options.onChange?.({ kind: before ? (after ? "MODIFY" : "REMOVE") : "INSERT", before, after, byTtl });
  }

  /** Computes the result of a write, and checks its condition. */
  function plan(write: Write): Planned {
    const { verb, ConditionExpression } = write;
    const placeholders = placeholdersOf(write);
    const key = keyOf(verb === "Put" ? write.Item : write.Key);
    const before = find(key);
    const passes = !ConditionExpression || compileCondition(ConditionExpression)(before ?? {}, placeholders);
    let after = before;
    if (verb === "Delete") after = null;
    if (verb === "Put") after = copyOf(write.Item ?? {});
    if (verb === "Update" && passes) after = updated(key, before, write, placeholders);
    if (after && after !== before) check(after);
    return { write, key, before, after, passes };
  }

  function updated(key: Key, before: Item | null, { UpdateExpression = "" }: Write, placeholders: Placeholders): Item {
    const old = before ?? {};
    const item: Item = { ...old, [spec.partitionKey]: key.pk, [spec.sortKey]: key.sk };
    const touched = new Set<string>();
    for (const { clause, path, operand } of compileUpdate(UpdateExpression)) {
      const name = attributeOf(path, placeholders);
      if (touched.has(name)) throw invalid(`Two document paths overlap with each other: ${name}`);
      if (name === spec.partitionKey || name === spec.sortKey) throw invalid(`Cannot update attribute ${name}`);
      touched.add(name);
      const value = operand?.(old, placeholders);
      if (clause === "REMOVE") delete item[name];
      else if (value === undefined) throw invalid("The provided expression refers to an attribute that does not exist");
      else if (clause === "SET") item[name] = copyOf(value);
      else item[name] = sumOf(old[name] ?? 0, value);
    }
    return item;
  }

  function check(item: Item): void {
    if (itemSize(item) > MAX_ITEM) throw invalid("Item size has exceeded the maximum allowed size");
    for (const { partitionKey, sortKey } of [
      ...Object.values(spec.indexes),
      ...Object.values(spec.vectorIndexes ?? {}).map(vectorKeys),
    ]) {
      for (const name of [partitionKey, sortKey]) {
        if (item[name] !== undefined && (typeof item[name] !== "string" || item[name] === "")) {
          throw invalid(`One or more parameter values were invalid: the index key ${name}`);
        }
      }
    }
  }

  return {
    spec,
    views,

    get: (key: object): Item | null => find(keyOf(key as Item)),

    /** Items of a partition, sorted by key. Keys are compared as UTF-16, which for the keys in use is the order of bytes. */
    partition: (pk: string): Item[] =>
      [...(partitions.get(pk) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item),

    write(write: Write): { before: Item | null; after: Item | null } {
      const { key, before, after, passes } = plan(write);
      if (!passes) throw conditionFailed(shown(write, before));
      store(key, before, after, false);
      return { before, after };
    },

    /** Writes all or nothing. */
    transact(writes: readonly Write[]): void {
      const planned = writes.map(plan);
      const keys = new Set(planned.map(({ key }) => JSON.stringify(key)));
      if (keys.size < planned.length) {
        throw invalid("Transaction request cannot include multiple operations on one item");
      }
      if (planned.some(({ passes }) => !passes)) {
        throw transactionCanceled(
          planned.map(({ write, before, passes }) => (passes ? null : { item: shown(write, before) })),
        );
      }
      for (const { write, key, before, after } of planned) {
        if (write.verb !== "ConditionCheck") store(key, before, after, false);
      }
    },

    /** Deletes expired items at `now` (epoch seconds), as TTL does, if `isWanted` accepts them. */
    expire(now: number, isWanted: (item: Item) => boolean = () => true): void {
      for (const item of this.all()) {
        const at = item[spec.ttl];
        if (typeof at === "number" && at <= now && isWanted(item)) store(keyOf(item), item, null, true);
      }
    },

    /** Stores the items of another table without stream records, as the restore of a backup does. */
    load(items: readonly Item[]): void {
      for (const item of items) {
        const { pk, sk } = keyOf(item);
        partitions.set(pk, (partitions.get(pk) ?? new Map<string, Item>()).set(sk, item));
        views.changed(`${pk}\n${sk}`, null, item);
      }
    },

    all: (): Item[] => [...partitions.values()].flatMap((partition) => [...partition.values()]),

    keyOf,
  };
}

export type TableData = ReturnType<typeof createTableData>;

const vectorKeys = ({ partitionKey }: { partitionKey: string }) => ({ partitionKey, sortKey: partitionKey });

/** A failed condition returns the item only if the request asks for it. */
const shown = ({ ReturnValuesOnConditionCheckFailure }: Write, item: Item | null): Item | undefined =>
  ReturnValuesOnConditionCheckFailure === "ALL_OLD" && item ? item : undefined;

function sumOf(before: unknown, by: unknown): number {
  if (typeof before !== "number" || typeof by !== "number")
    throw invalid("An operand in the update expression has an incorrect data type");
  return before + by;
}

/** Resolves placeholders, after a check that every given one is used. */
export function placeholdersOf(input: Expressions): Placeholders {
  const { ExpressionAttributeNames: names, ExpressionAttributeValues: values } = input;
  if (names || values) {
    const used = new Set(
      [
        input.ConditionExpression,
        input.UpdateExpression,
        input.KeyConditionExpression,
        input.FilterExpression,
        input.ProjectionExpression,
        input.SearchConditionExpression,
      ].flatMap((text) => (text ? placeholdersIn(text) : [])),
    );
    for (const token of [...Object.keys(names ?? {}), ...Object.keys(values ?? {})]) {
      if (!used.has(token))
        throw invalid(`Value provided in the expression's placeholders unused in expressions: ${token}`);
    }
  }
  return {
    name: (token) => names?.[token] ?? missing(token),
    // A value may be `null`.
    value: (token) => (values?.[token] === undefined ? missing(token) : values[token]),
  };
}

function missing(token: string): never {
  throw invalid(`An expression attribute that is used in an expression is not defined: ${token}`);
}

/** The attributes that a projection names. Without a projection: all. */
export function project(item: Item, { ProjectionExpression }: Expressions, placeholders: Placeholders): Item {
  if (!ProjectionExpression) return copyOf(item);
  const shown: Item = {};
  for (const path of namesOf(ProjectionExpression)) {
    const name = attributeOf(path, placeholders);
    if (item[name] !== undefined) shown[name] = copyOf(item[name]);
  }
  return shown;
}
