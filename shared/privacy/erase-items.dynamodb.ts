import type { QueryCommandInput } from "@aws-sdk/lib-dynamodb";
import type { Key } from "../dynamodb/keys.ts";
import {
  exportsPartition,
  filesPartition,
  idempotencyPartition,
  limitsKey,
  memorySummaryKey,
} from "../dynamodb/keys.ts";
import type { Table } from "../dynamodb/table.ts";
import { EVENTS_BY_USER, MEMORIES_BY_TIME } from "../dynamodb/tables.ts";
import type { Eraser } from "./erasure.ts";

type Query = Omit<QueryCommandInput, "TableName">;
type Items = Pick<Table, "pages" | "batchWrite">;

/** Creates the erasers of all items of a user, except those of sessions. */
export function createItemErasers(table: Items, metrics: Items, exports: Items, user: string): Eraser[] {
  const { pk, sk } = memorySummaryKey(user);
  return [
    eraserOf(table, "statistics of memories", [ofIndex(MEMORIES_BY_TIME, "memory_of", user), ofItem({ pk, sk })]),
    eraserOf(table, "files", [ofPartition(filesPartition(user))]),
    eraserOf(exports, "exports", [ofPartition(exportsPartition(user))]),
    eraserOf(table, "idempotency records", [ofPartition(idempotencyPartition(user))]),
    eraserOf(table, "usage", [ofItem(limitsKey(user))]),
    eraserOf(metrics, "events", [ofIndex(EVENTS_BY_USER, "user_id", user)]),
  ];
}

function eraserOf(table: Items, name: string, queries: Query[]): Eraser {
  return {
    async search() {
      let count = 0;
      for await (const keys of keysOf(table, queries)) count += keys.length;
      return { [name]: count };
    },

    async erase(_isFinal, isOver) {
      for await (const keys of keysOf(table, queries)) {
        if (isOver()) return false;
        await table.batchWrite([], keys);
      }
      return true;
    },
  };
}

async function* keysOf(table: Items, queries: Query[]): AsyncIterable<Key[]> {
  for (const query of queries) {
    for await (const { items } of table.pages({ ...query, ProjectionExpression: "pk, sk" })) {
      if (items.length > 0) yield items.map(({ pk, sk }) => ({ pk: String(pk), sk: String(sk) }));
    }
  }
}

function ofPartition(pk: string): Query {
  return { KeyConditionExpression: "pk = :pk", ExpressionAttributeValues: { ":pk": pk }, ConsistentRead: true };
}

function ofItem({ pk, sk }: Key): Query {
  return {
    KeyConditionExpression: "pk = :pk AND sk = :sk",
    ExpressionAttributeValues: { ":pk": pk, ":sk": sk },
    ConsistentRead: true,
  };
}

function ofIndex(IndexName: string, attribute: string, user: string): Query {
  return { IndexName, KeyConditionExpression: `${attribute} = :user`, ExpressionAttributeValues: { ":user": user } };
}
