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
import {
  cancellationReasons,
  plain,
  type StoredItem,
  translate,
  translated,
  untilUncontended,
} from "./table-errors.ts";

/** Items of one BatchWriteItem and of one BatchGetItem call. */
const BATCH_WRITE = 25;
const BATCH_GET = 100;

/** BatchWriteItem calls under way at once. */
const PARALLEL_BATCHES = 4;

/** Attempts at a batch that DynamoDB does not finish. */
const MAX_ATTEMPTS = 10;

/** Attempts at a search that a new index refuses: 3 s at most. */
const INDEX_ATTEMPTS = 5;

export type Item = Record<string, unknown>;

type Unnamed<T> = Omit<T, "TableName">;
type Action = NonNullable<TransactWriteCommandInput["TransactItems"]>[number];

/** A write of a transaction, or a condition that it depends on. */
export type TransactionAction = {
  [K in keyof Action]: Action[K] extends infer V | undefined ? Unnamed<NonNullable<V>> : never;
};

interface Page {
  items: Item[];
  /** Items that match; also counted where `Select` is `COUNT`. */
  count: number;
  /** Absent = the last page. */
  lastKey: Item | undefined;
}

/** Result of a conditional write. If the condition failed, `item` is the stored item. */
type Outcome = { done: true; item?: Item } | { done: false; item: Item | undefined };

/** For each action of a cancelled transaction: whether its condition failed, and the stored item. */
interface Refusal {
  failed: boolean;
  item: Item | undefined;
}

interface VectorSearch {
  index: string;
  vector: readonly number[];
  /** Attributes of the index's search schema, and the values that they must have. */
  where: Record<string, string>;
  /** Attributes to return, of those that the index has. */
  attributes: readonly string[];
  /** 100 at most. */
  limit: number;
}

/**
 * One DynamoDB table. Parameters and expressions are the SDK's. `Table` adds this to the SDK:
 *
 * - It names the table in every call.
 * - A failed condition is a value, not an error: `Outcome` of one write, `Refusal[]` of a transaction.
 * - A write that meets a transaction on the same items is repeated with jitter; the SDK does not repeat it.
 * - Batches of any size are cut to DynamoDB's limits, and what DynamoDB left undone is sent again.
 * - `pages` follows `LastEvaluatedKey` to the end.
 * - No error of the SDK leaves it. Throttling, timeouts and lost connections become `unavailable` with a time to retry after;
 *   every other error is a wrong call and becomes `internal`.
 */
export interface Table {
  /** Reads one item. @default strongly consistent, which costs twice as much */
  get(key: Key, options?: { consistent?: boolean }): Promise<Item | null>;
  /** Reads one page of a query. */
  query(input: Unnamed<QueryCommandInput>): Promise<Page>;
  /** Reads all pages of a query, each when the caller asks for it. */
  pages(input: Unnamed<QueryCommandInput>): AsyncGenerator<Page>;
  put(input: Unnamed<PutCommandInput>): Promise<Outcome>;
  update(input: Unnamed<UpdateCommandInput>): Promise<Outcome>;
  /** Carries out all actions or none; `null` = all. */
  transact(actions: TransactionAction[]): Promise<Refusal[] | null>;
  /** Reads items, in any order. @default eventually consistent, all attributes */
  batchGet(keys: readonly Key[], options?: { consistent?: boolean; attributes?: readonly string[] }): Promise<Item[]>;
  /** Puts and deletes items, without conditions and in any order. */
  batchWrite(puts: readonly Item[], deletes: readonly Key[]): Promise<void>;
  /** Finds the items with the nearest vectors, nearest first. Waits for an index that is being created. */
  searchVectors(input: VectorSearch): Promise<{ item: Item; distance: number }[]>;
}

export function createTable(client: DynamoDBDocumentClient, TableName: string): Table {
  const query: Table["query"] = async (input) => {
    const answer = await translated(client.send(new QueryCommand({ TableName, ...input })));
    return { items: answer.Items ?? [], count: answer.Count ?? 0, lastKey: answer.LastEvaluatedKey };
  };

  return {
    async get(Key, { consistent = true } = {}) {
      const { Item } = await translated(client.send(new GetCommand({ TableName, Key, ConsistentRead: consistent })));
      return Item ?? null;
    },

    query,

    async *pages(input) {
      let { ExclusiveStartKey } = input;
      do {
        const page = await query({ ...input, ExclusiveStartKey });
        yield page;
        ExclusiveStartKey = page.lastKey;
      } while (ExclusiveStartKey);
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
      const send = async () => {
        await client.send(new TransactWriteCommand({ TransactItems }));
        return null;
      };
      return untilUncontended<Refusal[] | null>(send, (error) => {
        const reasons = cancellationReasons(error);
        if (reasons.some(({ Code }) => Code === "ConditionalCheckFailed")) {
          return reasons.map(({ Code, Item }) => ({ failed: Code === "ConditionalCheckFailed", item: plain(Item) }));
        }
        if (reasons.some(({ Code }) => RETRIABLE.has(Code ?? ""))) return "contended";
        throw translate(error);
      });
    },

    async batchGet(keys, { consistent = false, attributes } = {}) {
      const wanted = { ConsistentRead: consistent, ...(attributes ? projectionOf(attributes) : {}) };
      const items: Item[] = [];
      for (const batch of batches(keys, BATCH_GET)) {
        await untilEmpty(batch, async (Keys) => {
          const answer = await translated(
            client.send(new BatchGetCommand({ RequestItems: { [TableName]: { ...wanted, Keys } } })),
          );
          items.push(...(answer.Responses?.[TableName] ?? []));
          return (answer.UnprocessedKeys?.[TableName]?.Keys ?? []) as Key[];
        });
      }
      return items;
    },

    async batchWrite(puts, deletes) {
      const requests = [
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
      for (const group of batches(batches<WriteRequest>(requests, BATCH_WRITE), PARALLEL_BATCHES)) {
        await Promise.all(group.map(writeAll));
      }
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
          // A new index refuses searches for a while, with the same error as for a wrong search.
          if ((error as Error).name !== "ValidationException" || attempt === INDEX_ATTEMPTS) throw translate(error);
        }
        await backOff(attempt, 100);
      }
    },
  };
}

/** The parameters of a read that return these attributes only; reserved words may be among them. */
export function projectionOf(attributes: readonly string[]) {
  return {
    ProjectionExpression: attributes.map((name) => `#${name}`).join(", "),
    ExpressionAttributeNames: Object.fromEntries(attributes.map((name) => [`#${name}`, name])),
  };
}

type WriteRequest = NonNullable<BatchWriteCommandInput["RequestItems"]>[string][number];

function batches<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, n) => all.slice(n * size, (n + 1) * size));
}

/** Sends the unprocessed rest of a batch again, until nothing is left. */
async function untilEmpty<T>(all: T[], send: (pending: T[]) => Promise<T[]>): Promise<void> {
  let pending = all;
  for (let attempt = 0; pending.length > 0; attempt++) {
    if (attempt === MAX_ATTEMPTS) throw new AppError("unavailable", "the store is throttled", { retryAfter: 1 });
    if (attempt > 0) await backOff(attempt);
    pending = await send(pending);
  }
}

/** Reasons of a cancelled transaction that may not occur again. */
const RETRIABLE = new Set([
  "TransactionConflict",
  "ThrottlingError",
  "ProvisionedThroughputExceeded",
  "RequestLimitExceeded",
]);

function conditional(send: () => Promise<{ Attributes?: Item | undefined }>): Promise<Outcome> {
  const write = async (): Promise<Outcome> => {
    const { Attributes } = await send();
    return Attributes ? { done: true, item: Attributes } : { done: true };
  };
  return untilUncontended(write, (error) => {
    const { name, Item } = error as { name?: string; Item?: StoredItem };
    if (name === "ConditionalCheckFailedException") return { done: false, item: plain(Item) };
    if (name === "TransactionConflictException") return "contended";
    throw translate(error);
  });
}
