import { SearchVectorsCommand } from "@aws-sdk/client-dynamodb";
import {
  BatchGetCommand,
  BatchWriteCommand,
  type BatchWriteCommandInput,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  type PutCommandInput,
  QueryCommand,
  type QueryCommandInput,
  TransactWriteCommand,
  type TransactWriteCommandInput,
  UpdateCommand,
  type UpdateCommandInput,
} from "@aws-sdk/lib-dynamodb";
import { marshall, unmarshall } from "@aws-sdk/util-dynamodb";
import { backOff } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { Key } from "./keys.ts";

export type Item = Record<string, unknown>;
type Unnamed<T> = Omit<T, "TableName">;
type Action = NonNullable<TransactWriteCommandInput["TransactItems"]>[number];
type UnnamedAction = { [K in keyof Action]: Action[K] extends infer V | undefined ? Unnamed<NonNullable<V>> : never };
/** A write of a transaction, or a condition that it depends on. */
export type TransactionAction = UnnamedAction;
type WriteRequest = NonNullable<BatchWriteCommandInput["RequestItems"]>[string][number];

/** What became of a conditional write: done, or the item that stood against it. */
export type Outcome = { done: true; item?: Item } | { done: false; item: Item | undefined };

/** Per action of a transaction that was not carried out: whether its condition failed, and on what. */
export interface Refusal {
  failed: boolean;
  item: Item | undefined;
}

/** Attempts at a write that meets a transaction on the same items. */
const MAX_ATTEMPTS = 10;

/** Attempts at a search that an index refuses, which takes 3 s at most. */
const INDEX_ATTEMPTS = 5;

/** Items of one BatchWriteItem and of one BatchGetItem call. */
const BATCH_WRITE = 25;
const BATCH_GET = 100;

/** BatchWriteItem calls under way at once. */
const PARALLEL_BATCHES = 4;

export interface VectorSearch {
  index: string;
  vector: readonly number[];
  /** Attributes of the index's search schema, and the values that they must have. */
  where: Record<string, string>;
  /** What comes back of each item, of that which the index has. */
  attributes: readonly string[];
  /** 100 at most. */
  limit: number;
}

/** One DynamoDB table, in its own terms. SDK errors do not leave it: throttling and timeouts become `unavailable`. */
export interface Table {
  get(key: Key): Promise<Item | null>;
  query(input: Unnamed<QueryCommandInput>): Promise<{ items: Item[]; lastKey: Item | undefined; count: number }>;
  /** Waits for transactions that are under way on the same item, as `update` does. */
  put(input: Unnamed<PutCommandInput>): Promise<Outcome>;
  update(input: Unnamed<UpdateCommandInput>): Promise<Outcome>;
  /** All or nothing; `null` = done. Waits for and repeats after conflicts with other transactions. */
  transact(actions: UnnamedAction[]): Promise<Refusal[] | null>;
  /** In any order. @default eventually consistent, all attributes */
  batchGet(keys: readonly Key[], options?: { consistent?: boolean; attributes?: readonly string[] }): Promise<Item[]>;
  /** The items whose vectors are nearest, nearest first. Waits for an index that is being made. */
  searchVectors(input: VectorSearch): Promise<{ item: Item; distance: number }[]>;
  /** Puts or deletes any number of items, unconditionally and in any order. */
  batchWrite(puts: readonly Item[], deletes: readonly Key[]): Promise<void>;
}

export function createTable(client: DynamoDBDocumentClient, TableName: string): Table {
  return {
    async get(Key) {
      const { Item } = await translated(client.send(new GetCommand({ TableName, Key, ConsistentRead: true })));
      return Item ?? null;
    },

    async query(input) {
      const answer = await translated(client.send(new QueryCommand({ TableName, ...input })));
      return { items: answer.Items ?? [], lastKey: answer.LastEvaluatedKey, count: answer.Count ?? 0 };
    },

    put: (input) => conditional(() => client.send(new PutCommand({ TableName, ...input }))),

    update: (input) => conditional(() => client.send(new UpdateCommand({ TableName, ...input }))),

    async transact(actions) {
      const TransactItems = actions.map((action) =>
        Object.fromEntries(
          Object.entries(action).map(([verb, input]) => [
            verb,
            { TableName, ReturnValuesOnConditionCheckFailure: "ALL_OLD", ...input },
          ]),
        ),
      ) as Action[];
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        try {
          await client.send(new TransactWriteCommand({ TransactItems }));
          return null;
        } catch (error) {
          const reasons = cancellationReasons(error);
          if (!reasons) throw translate(error);
          if (reasons.some(({ Code }) => Code === "ConditionalCheckFailed")) {
            return reasons.map(({ Code, Item }) => ({ failed: Code === "ConditionalCheckFailed", item: plain(Item) }));
          }
          if (!reasons.some(({ Code }) => RETRIABLE.has(Code ?? ""))) throw translate(error);
        }
        await backOff(attempt);
      }
      throw contended();
    },

    async batchGet(keys, { consistent = false, attributes } = {}) {
      const wanted = { ConsistentRead: consistent, ...(attributes ? projectionOf(attributes) : {}) };
      const items: Item[] = [];
      for (const batch of batches(keys, BATCH_GET)) {
        await untilEmpty([...batch], async (Keys) => {
          const answer = await translated(
            client.send(new BatchGetCommand({ RequestItems: { [TableName]: { ...wanted, Keys } } })),
          );
          items.push(...(answer.Responses?.[TableName] ?? []));
          return (answer.UnprocessedKeys?.[TableName]?.Keys ?? []) as Key[];
        });
      }
      return items;
    },

    async searchVectors({ index, vector, where, attributes, limit }) {
      const projection = projectionOf(attributes);
      const names = Object.keys(where);
      const command = new SearchVectorsCommand({
        TableName,
        IndexName: index,
        SearchVector: vector.map((value) => ({ N: String(value) })),
        SearchConditionExpression: names.map((name) => `#${name} = :${name}`).join(" AND "),
        ...projection,
        ExpressionAttributeNames: {
          ...projection.ExpressionAttributeNames,
          ...Object.fromEntries(names.map((name) => [`#${name}`, name])),
        },
        ExpressionAttributeValues: marshall(Object.fromEntries(names.map((name) => [`:${name}`, where[name]]))),
        TopK: limit,
      });
      for (let attempt = 0; ; attempt++) {
        try {
          const { SearchResults = [] } = await client.send(command);
          return SearchResults.map(({ Item = {}, Score = 0 }) => ({ item: unmarshall(Item), distance: Score }));
        } catch (error) {
          // A new index refuses searches for a while, with the same error as for a search that is wrong.
          if ((error as Error).name !== "ValidationException" || attempt === INDEX_ATTEMPTS) throw translate(error);
        }
        await backOff(attempt, 100);
      }
    },

    async batchWrite(puts, deletes) {
      const requests: WriteRequest[] = [
        ...puts.map((Item) => ({ PutRequest: { Item } })),
        ...deletes.map((Key) => ({ DeleteRequest: { Key } })),
      ];
      const writeAll = (batch: WriteRequest[]) =>
        untilEmpty(batch, async (pending) => {
          const answer = await translated(
            client.send(new BatchWriteCommand({ RequestItems: { [TableName]: pending } })),
          );
          return answer.UnprocessedItems?.[TableName] ?? [];
        });
      for (const group of batches(batches(requests, BATCH_WRITE), PARALLEL_BATCHES))
        await Promise.all(group.map(writeAll));
    },
  };
}

/** The part of a read that says which attributes come back, whatever words are reserved. */
export const projectionOf = (attributes: readonly string[]) => ({
  ProjectionExpression: attributes.map((name) => `#${name}`).join(", "),
  ExpressionAttributeNames: Object.fromEntries(attributes.map((name) => [`#${name}`, name])),
});

/** Reasons for which a transaction was cancelled although nothing stands against it. */
const RETRIABLE = new Set([
  "TransactionConflict",
  "ThrottlingError",
  "ProvisionedThroughputExceeded",
  "RequestLimitExceeded",
]);

const THROTTLED = new Set([
  "ThrottlingException",
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "TransactionInProgressException",
  "InternalServerError",
  "ServiceUnavailable",
  "TimeoutError",
  "ECONNRESET",
  "ECONNREFUSED",
  "EPIPE",
]);

function batches<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, n) => all.slice(n * size, (n + 1) * size));
}

/** Sends what a batch call left undone again, until nothing is. */
async function untilEmpty<T>(all: T[], send: (pending: T[]) => Promise<T[]>): Promise<void> {
  let pending = all;
  for (let attempt = 0; pending.length > 0; attempt++) {
    if (attempt === MAX_ATTEMPTS) throw new AppError("unavailable", "the store is throttled", { retryAfter: 1 });
    if (attempt > 0) await backOff(attempt);
    pending = await send(pending);
  }
}

// The document client leaves the items inside of exceptions as they came over the wire.
const plain = (item: StoredItem | undefined): Item | undefined => (item ? unmarshall(item) : undefined);

type StoredItem = Parameters<typeof unmarshall>[0];

function cancellationReasons(error: unknown): { Code?: string; Item?: StoredItem }[] | undefined {
  const { name, CancellationReasons } = error as {
    name?: string;
    CancellationReasons?: { Code?: string; Item?: StoredItem }[];
  };
  return name === "TransactionCanceledException" ? CancellationReasons : undefined;
}

/** Waits for transactions that are under way on the same item: DynamoDB refuses other writes meanwhile, and the SDK repeats none. */
async function conditional(send: () => Promise<{ Attributes?: Item | undefined }>): Promise<Outcome> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    try {
      const { Attributes } = await send();
      return Attributes ? { done: true, item: Attributes } : { done: true };
    } catch (error) {
      const { name, Item } = error as { name?: string; Item?: StoredItem };
      if (name === "ConditionalCheckFailedException") return { done: false, item: plain(Item) };
      if (name !== "TransactionConflictException") throw translate(error);
    }
    await backOff(attempt);
  }
  throw contended();
}

async function translated<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw translate(error);
  }
}

const contended = (): AppError =>
  new AppError("unavailable", "the session is being written to by too many requests", { retryAfter: 1 });

function translate(error: unknown): AppError {
  const { name, code } = error as { name?: string; code?: string };
  return THROTTLED.has(name ?? "") || THROTTLED.has(code ?? "")
    ? new AppError("unavailable", "the store does not answer", { cause: error, retryAfter: 1 })
    : new AppError("internal", "the store refused a call", { cause: error });
}
