import { gunzipSync } from "node:zlib";
import { GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { DeleteCommand } from "@aws-sdk/lib-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import type { DynamoDBRecord } from "aws-lambda";
import { createArchiveJob } from "../../functions/jobs/archive.ts";
import { createArchive } from "../../shared/archive/archive.s3.ts";
import { parseLines } from "../../shared/archive/archived-lines.ts";
import { createObjects } from "../../shared/archive/objects.s3.ts";
import { gateWrites } from "../../shared/dynamodb/gate-writes.ts";
import { headerKey, sessionKey } from "../../shared/dynamodb/keys.ts";
import { createTable } from "../../shared/dynamodb/table.ts";
import { createFileObjects } from "../../shared/files/file-objects.s3.ts";
import { createFileStore } from "../../shared/files/file-store.dynamodb.ts";
import { createChangedDays } from "../../shared/lake/changed-days.dynamodb.ts";
import { createMemoryStore } from "../../shared/memory/memory-store.dynamodb.ts";
import { createPersonStore } from "../../shared/privacy/person.dynamodb.ts";
import { appendMessages } from "../../shared/session/append-messages.ts";
import { createSession } from "../../shared/session/create-session.ts";
import { createStores } from "./create-stores.ts";
import type { Engines } from "./engines.ts";

/** Epoch milliseconds at which the clock of a world starts. */
export const NOON = Date.parse("2026-11-21T12:00:00.000Z");

/**
 * The stores of a test. The test sets the clock and causes crashes. It also acts as DynamoDB's TTL: it decides when a header is
 * deleted and when its stream record is delivered.
 */
export function createWorld(engines: Engines) {
  let now = NOON;
  let calls = 0;
  let fault: ((call: number) => "before" | "after" | undefined | Promise<undefined>) | undefined;

  /** Wraps a client, so that a crash can happen before or after each of its calls. */
  const faulty = <T extends { send(command: never): Promise<unknown> }>(client: T): T =>
    new Proxy(client, {
      get(target, name, receiver) {
        if (name !== "send") return Reflect.get(target, name, receiver);
        return async (command: never) => {
          const kind = await fault?.(calls++);
          if (kind === "before") throw new Crash();
          const answer = await target.send(command);
          if (kind === "after") throw new Crash();
          return answer;
        };
      },
    });

  engines.setClock(() => now);
  const s3 = faulty(engines.s3 as never) as typeof engines.s3;
  const ungated = createTable(faulty(engines.dynamodb as never), engines.tableName);
  const table = gateWrites(ungated);
  const exportTable = gateWrites(createTable(faulty(engines.dynamodb as never), engines.exportTable));
  const plainTable = createTable(engines.dynamodb, engines.tableName);
  const memories = createMemoryStore(table, () => now);
  const files = createFileStore(table);
  const fileObjects = createFileObjects(s3, engines.bucket);
  const stores = createStores(table, {
    archive: createArchive(async () => createObjects(s3, engines.bucket)),
    fileObjects,
    clock: () => now,
  });
  const archiveJob = createArchiveJob(stores, createChangedDays(table));
  let sequence = 0;
  let creations = 0;

  return {
    stores,
    files,
    fileObjects,
    memories,
    table,
    exportTable,
    /** For idempotency records, limits and the records of persons. */
    ungated,
    persons: createPersonStore(ungated),
    s3,
    /** Wraps a client, so that a crash can happen before or after each of its calls. */
    faulty,
    archiveJob,
    advance: (milliseconds: number) => {
      now += milliseconds;
    },

    /** Runs `work` with a crash at its nth call to an engine. Returns whether it made so many calls. */
    async crashing(n: number, kind: "before" | "after", work: () => Promise<unknown>): Promise<boolean> {
      let crashed = false;
      calls = 0;
      fault = (call) => {
        if (call !== n) return crashed ? "before" : undefined;
        crashed = true;
        return kind;
      };
      try {
        await work();
      } catch (error) {
        if (!isCrash(error)) throw error;
      } finally {
        fault = undefined;
      }
      return crashed;
    },

    /** Runs `other` before the nth call to an engine of `work`. Returns whether `work` made so many calls. */
    async interleaved(n: number, work: () => Promise<unknown>, other: () => Promise<unknown>): Promise<boolean> {
      calls = 0;
      fault = async (call) => {
        if (call !== n) return;
        fault = undefined;
        await other();
      };
      await work();
      const isReached = fault === undefined;
      fault = undefined;
      return isReached;
    },

    /** Counts the calls to the engines that `work` makes. */
    async counting(work: () => Promise<unknown>): Promise<number> {
      calls = 0;
      fault = () => undefined;
      await work().finally(() => {
        fault = undefined;
      });
      return calls;
    },

    create: (user: string, id: string, ttl_seconds = 60, count = 0) =>
      createSession(stores, user, { id, ttl_seconds }, { seed: `create ${id} ${creations++}`, at: now }, 60).then(
        async (record) => {
          for (let n = 0; n < count; n += 50) {
            const inputs = Array.from({ length: Math.min(50, count - n) }, (_, k) => ({
              role: "user" as const,
              content: `message ${n + k} of ${id}`,
            }));
            await appendMessages(stores, { user, id }, inputs, { seed: `append ${id} ${n}`, at: now + n });
          }
          return record;
        },
      ),

    /** Deletes an expired header as TTL does. Returns its stream record, or `null` if the header has not expired. */
    async sweep(user: string, id: string): Promise<DynamoDBRecord | null> {
      const { Attributes } = await engines.dynamodb
        .send(
          new DeleteCommand({
            TableName: engines.tableName,
            Key: headerKey(user, id),
            ConditionExpression: "expires_at <= :now",
            ExpressionAttributeValues: { ":now": Math.floor(now / 1000) },
            ReturnValues: "ALL_OLD",
          }),
        )
        .catch(() => ({ Attributes: undefined }));
      if (!Attributes) return null;
      sequence++;
      return {
        eventID: `event-${sequence}`,
        eventName: "REMOVE",
        userIdentity: { type: "Service", principalId: "dynamodb.amazonaws.com" },
        dynamodb: {
          Keys: marshall(headerKey(user, id)) as never,
          OldImage: marshall(Attributes) as never,
          SequenceNumber: String(sequence).padStart(21, "0"),
        },
      } as DynamoDBRecord;
    },

    /** Removes every item of a session, so that a later run of the reconciler does not find it. */
    async drop(user: string, id: string): Promise<void> {
      const { items } = await table.query({
        KeyConditionExpression: "pk = :pk",
        ExpressionAttributeValues: { ":pk": sessionKey(user, id) },
        ProjectionExpression: "pk, sk",
      });
      await table.batchWrite([], items as never);
    },

    /** Returns the contents of all hot messages, of every generation. */
    async hot(user: string, id: string): Promise<string[]> {
      const contents: string[] = [];
      const pages = plainTable.pages({
        KeyConditionExpression: "pk = :pk AND begins_with(sk, :m)",
        ExpressionAttributeValues: { ":pk": sessionKey(user, id), ":m": "M#" },
      });
      for await (const { items } of pages) contents.push(...items.map(({ content }) => String(content)));
      return contents;
    },

    /** Returns the contents of all messages in archive objects of the session. */
    async cold(user: string, id: string): Promise<string[]> {
      const { Contents = [] } = await engines.s3.send(
        new ListObjectsV2Command({ Bucket: engines.bucket, Prefix: "archive/" }),
      );
      const keys = Contents.map(({ Key }) => Key ?? "").filter((key) => key.endsWith(`/${user}/${id}.jsonl.gz`));
      const contents: string[] = [];
      for (const Key of keys) {
        const { Body } = await engines.s3.send(new GetObjectCommand({ Bucket: engines.bucket, Key }));
        const lines = parseLines(gunzipSync((await Body?.transformToByteArray()) ?? new Uint8Array()));
        contents.push(...lines.filter(({ role }) => role !== undefined).map(({ content }) => content));
      }
      return contents;
    },
  };
}

export type World = ReturnType<typeof createWorld>;

class Crash extends Error {}

/** Finds a crash, also as the cause of another error. */
function isCrash(error: unknown): boolean {
  for (let e: unknown = error; e instanceof Error; e = e.cause) if (e instanceof Crash) return true;
  return false;
}
