/** A table and a bucket with one session, and everything that acts on it. */

import { marshall } from "@aws-sdk/util-dynamodb";
import type { DynamoDBRecord } from "aws-lambda";
import { createArchiveJob } from "../../functions/jobs/archive.ts";
import { createRememberJob } from "../../functions/jobs/remember.ts";
import { createArchive } from "../../shared/archive/archive.s3.ts";
import { startTurn } from "../../shared/chat/start-turn.ts";
import type { ChatDependencies, TurnRequest } from "../../shared/chat/turn.ts";
import { createTurnStore } from "../../shared/chat/turn-store.dynamodb.ts";
import { headerKey, sessionKey } from "../../shared/dynamodb/keys.ts";
import { createTable, type Item } from "../../shared/dynamodb/table.ts";
import { conversations } from "../../shared/dynamodb/tables.ts";
import { AppError } from "../../shared/errors.ts";
import { createLimits } from "../../shared/limits/limits.dynamodb.ts";
import { createLexicalEmbedder, LEXICAL_MODEL } from "../../shared/memory/embedder.lexical.ts";
import type { FollowDependencies } from "../../shared/memory/follow-branch.ts";
import { createMemoryStore } from "../../shared/memory/memory-store.dynamodb.ts";
import { createRecall } from "../../shared/memory/recall.ts";
import { noRecorder } from "../../shared/metrics/recorder.ts";
import { appendMessages } from "../../shared/session/append-messages.ts";
import { createSession } from "../../shared/session/create-session.ts";
import { deleteSession, purgeSession } from "../../shared/session/delete-session.ts";
import { expireIdle } from "../../shared/session/expire-idle.ts";
import { listMessages } from "../../shared/session/list-messages.ts";
import type { ShownMessage } from "../../shared/session/message.ts";
import { patchSession } from "../../shared/session/patch-session.ts";
import { reconcile } from "../../shared/session/reconcile.ts";
import { resetSession } from "../../shared/session/reset-session.ts";
import { restoreSession } from "../../shared/session/restore-session.ts";
import type { Tombstone } from "../../shared/session/session.ts";
import { FREE, SETTINGS } from "./chat-world.ts";
import { createStores } from "./create-stores.ts";
import { createMemoryDynamoDB } from "./memory-dynamodb/client.ts";
import { createMemoryFiles } from "./memory-files.ts";
import { createMemoryObjects } from "./memory-objects.ts";
import { NOON } from "./world.ts";

export const SESSION = { user: "ann", id: "shared" };
/** Seconds. */
export const TTL = 60;
const LONG = Number.POSITIVE_INFINITY;

const EMPTY = { now: NOON, requests: 0, questions: 0, headerExpiry: undefined, earlier: undefined };

/** All that a stage has stored. Nothing changes it, so that several stages can start from it. */
interface SavedStage {
  now: number;
  requests: number;
  questions: number;
  records: readonly DynamoDBRecord[];
  headerExpiry: DynamoDBRecord | undefined;
  earlier: Tombstone | undefined;
  items: readonly Item[];
  objects: ReturnType<ReturnType<typeof createMemoryObjects>["all"]>;
  files: readonly [string, Uint8Array][];
}

/** Creates the stage, whose clock the test moves. It starts empty, or as another one was when it was saved. */
export function createStage(from?: SavedStage) {
  let { now, requests, questions, headerExpiry, earlier } = from ?? EMPTY;
  let onCall: (() => Promise<void>) | undefined;
  const records = [...(from?.records ?? [])];

  const gate = async () => {
    await onCall?.();
  };
  const {
    client,
    execute,
    table: dataOf,
  } = createMemoryDynamoDB(
    { table: conversations },
    {
      onChange: (_table, { kind, before, after }) => {
        const isOf = (prefix: string) => String(after?.sk).startsWith(prefix);
        if (!after || !(isOf("T#") || (isOf("M#") && !before))) return;
        const images = { NewImage: marshall(after), ...(before ? { OldImage: marshall(before) } : {}) };
        records.push({ eventName: kind, dynamodb: images as never });
      },
    },
  );
  dataOf("table").load(from?.items ?? []);
  const gated = {
    send: async (command: never) => {
      await gate();
      return execute(command);
    },
  } as unknown as typeof client;
  const table = createTable(gated, "table");
  const bucket = createMemoryObjects(gate, from?.objects);
  const files = createMemoryFiles(gate, from?.files);
  const clock = () => now;
  const memories = createMemoryStore(table, clock);
  const stores = createStores(table, {
    archive: createArchive(async () => bucket.objects),
    fileObjects: files.objects,
    clock,
  });
  const memory: FollowDependencies = {
    stores,
    memories,
    embedderOf: ({ dimensions }) => createLexicalEmbedder(dimensions),
    firstLayout: { slot: "a", space: { model: LEXICAL_MODEL, dimensions: 512 } },
    clock,
  };
  const chat: ChatDependencies = {
    ...stores,
    turns: createTurnStore(table),
    limits: createLimits(table),
    model: {
      lookAhead: () => undefined,
      async ask({ promptFor }) {
        await promptFor("fake");
        await gate();
        return {
          model: "fake",
          events: (async function* () {
            await gate();
            yield { kind: "text", text: `lantern answer ${requests++}` } as const;
            yield { kind: "end", reason: "stop", usage: { input_tokens: 2, output_tokens: 2 } } as const;
          })(),
        };
      },
    },
    isOffered: () => true,
    isKnown: () => true,
    specOf: () => ({ context: 8192, input: 1, output: 2 }),
    recorder: noRecorder,
    settings: { ...SETTINGS, sessionTtlSeconds: TTL },
  };
  const rememberJob = createRememberJob(memory);
  const archiveJob = createArchiveJob(stores, { mark: async () => undefined });
  const request = () => ({ seed: `request ${requests++}`, at: now });

  const say = (content: string) => appendMessages(stores, SESSION, [{ role: "user", content }], request());
  const create = () => createSession(stores, SESSION.user, { id: SESSION.id, ttl_seconds: TTL }, request(), TTL);
  /** Delivers the records of all messages and trees, most of them once more. */
  const rememberAll = () => deliver(records);
  const deliver = async (Records: DynamoDBRecord[]) => {
    const { batchItemFailures } = await rememberJob({ Records });
    if (batchItemFailures.length > 0) throw new Error("a record cannot be remembered");
  };
  const runReconciler = () =>
    reconcile(stores, LONG, (error) => {
      throw error;
    });

  /** What DynamoDB's TTL does to a header or stub that has expired; keeps the stream record. */
  async function sweep(): Promise<void> {
    const { Item: item } = execute(getHeader) as { Item?: Item };
    if (!item || typeof item.expires_at !== "number" || item.expires_at > now / 1000) return;
    execute(deleteHeader);
    headerExpiry = {
      eventName: "REMOVE",
      userIdentity: { type: "Service", principalId: "dynamodb.amazonaws.com" },
      dynamodb: { Keys: marshall(headerKey(SESSION.user, SESSION.id)) as never, OldImage: marshall(item) as never },
    };
  }

  async function archive(): Promise<void> {
    if (headerExpiry && (await archiveJob({ Records: [headerExpiry] })).batchItemFailures.length > 0) {
      throw new Error("the archiver failed");
    }
  }

  async function turn(content: string, more: Partial<TurnRequest> = {}): Promise<void> {
    const running = await startTurn(chat, {
      session: SESSION,
      plan: FREE,
      claims: {
        claim: async () => ({ kind: "first", identity: request() }),
        keep: async () => undefined,
        release: async () => undefined,
      },
      question: { role: "user", content },
      memory: false,
      create: true,
      deadline: now + 50_000,
      ...more,
    });
    await running.done;
    // The failure of a turn whose answer has begun is told in its events.
    for await (const event of running.events()) void event;
  }

  const operations = {
    append: async () => void (await say(`lantern appended ${requests}`)),
    chat: () => turn(`lantern question ${questions++}`),
    restore: async () => void (await restoreSession(stores, SESSION)),
    reset: async () => void (await resetSession(stores, SESSION, request())),
    delete: () => deleteSession(stores, SESSION),
    create: async () => void (await create()),
    archive,
    reconcile: async () => void (await runReconciler()),
    remember: async () => void (await rememberAll()),
    purge: async () => {
      if (earlier) await purgeSession(stores, earlier);
    },
    expire: async () => {
      await expireIdle(stores, now, LONG);
      await sweep();
    },
    patch: async () => void (await patchSession(stores, SESSION, { title: "patched" }, undefined)),
  };

  return {
    operations,
    stores,
    bucket,
    /** The contents of files, by user and id. */
    files: files.contents,
    sweep,
    archive,
    create,
    say,
    turn,
    rememberAll,
    /** Delivers the records of the trees alone. */
    rememberTrees: () => deliver(records.filter(({ dynamodb }) => dynamodb?.NewImage?.tree)),
    runReconciler,
    advance: (milliseconds: number) => {
      now += milliseconds;
    },
    save: (): SavedStage => ({
      now,
      requests,
      questions,
      records: [...records],
      headerExpiry,
      earlier,
      items: dataOf("table").all(),
      objects: bucket.all(),
      files: [...files.contents],
    }),
    /** What a purge that was begun for the session as it is now works on. */
    async rememberTombstone(): Promise<void> {
      earlier = (await stores.sessions.findAnchor(SESSION)) ?? undefined;
    },
    /** Runs `other` before the nth call of `work`; says whether `work` came so far. */
    async interleaved<A, B>(n: number, work: () => Promise<A>, other: () => Promise<B>): Promise<[A, B] | null> {
      let calls = 0;
      let answer: { value: B } | undefined;
      onCall = async () => {
        if (calls++ !== n) return;
        onCall = undefined;
        answer = { value: await other() };
      };
      const value = await work();
      onCall = undefined;
      return answer ? [value, answer.value] : null;
    },
    /** Stops the function that does this work at its nth call; says whether the work came so far. */
    async stopped(n: number, work: () => Promise<unknown>): Promise<boolean> {
      let calls = 0;
      onCall = async () => {
        if (calls++ >= n) throw new Error("the function was stopped");
      };
      await work().catch(() => undefined);
      onCall = undefined;
      return calls > n;
    },
    /** The messages of the current branch, or of all of them; `null` = there is no session. */
    async messages(branch: "current" | "all"): Promise<ShownMessage[] | null> {
      try {
        return (await listMessages(stores, SESSION, { order: "asc", limit: 100, branch })).messages;
      } catch (error) {
        if (error instanceof AppError && error.code === "not_found") return null;
        throw error;
      }
    },
    async recalled(): Promise<string[]> {
      const found = await createRecall(memory)(SESSION.user, { text: "lantern", limit: 50 });
      return found.map(({ content }) => content);
    },
    /** All items of a partition. */
    async items(pk = sessionKey(SESSION.user, SESSION.id)): Promise<Item[]> {
      const { items } = await table.query({
        KeyConditionExpression: "pk = :pk",
        ExpressionAttributeValues: { ":pk": pk },
      });
      return items;
    },
  };
}

export type Stage = ReturnType<typeof createStage>;

/** Returns a function that creates stages in one of the given states. The steps that lead to a state run once. */
export function createStages(states: Record<string, (stage: Stage) => Promise<void>>) {
  const saved = new Map<string, SavedStage>();
  return async (state: string): Promise<Stage> => {
    if (!saved.has(state)) {
      const stage = createStage();
      await states[state]?.(stage);
      saved.set(state, stage.save());
    }
    return createStage(saved.get(state));
  };
}

const getHeader = {
  constructor: { name: "GetCommand" },
  input: { TableName: "table", Key: headerKey("ann", "shared") },
};
const deleteHeader = {
  constructor: { name: "DeleteCommand" },
  input: { TableName: "table", Key: headerKey("ann", "shared") },
};
