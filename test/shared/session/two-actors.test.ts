/** Runs a whole operation of one actor at every call that the operation of another makes, for all pairs, on one session. */
import { marshall } from "@aws-sdk/util-dynamodb";
import type { DynamoDBRecord } from "aws-lambda";
import { describe, expect, it, vi } from "vitest";
import { createArchiveJob } from "../../../functions/jobs/archive.ts";
import { createArchive } from "../../../shared/archive/archive.s3.ts";
import { startTurn } from "../../../shared/chat/start-turn.ts";
import type { ChatDependencies } from "../../../shared/chat/turn.ts";
import { createTurnStore } from "../../../shared/chat/turn-store.dynamodb.ts";
import { headerKey, sessionKey } from "../../../shared/dynamodb/keys.ts";
import { createTable, type Item } from "../../../shared/dynamodb/table.ts";
import { conversations } from "../../../shared/dynamodb/tables.ts";
import { AppError } from "../../../shared/errors.ts";
import { createFileStore } from "../../../shared/files/file-store.dynamodb.ts";
import { createSessionFiles } from "../../../shared/files/session-files.ts";
import { createLimits } from "../../../shared/limits/limits.dynamodb.ts";
import { createLexicalEmbedder, LEXICAL_MODEL } from "../../../shared/memory/embedder.lexical.ts";
import { createSessionMemories } from "../../../shared/memory/forget.ts";
import { fromMessageImage } from "../../../shared/memory/items.dynamodb.ts";
import type { Captured } from "../../../shared/memory/memory.ts";
import { createMemoryStore } from "../../../shared/memory/memory-store.dynamodb.ts";
import { createRecall } from "../../../shared/memory/recall.ts";
import { type MemoryDependencies, remember } from "../../../shared/memory/remember.ts";
import { noRecorder } from "../../../shared/metrics/recorder.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { createSession } from "../../../shared/session/create-session.ts";
import { deleteMessage } from "../../../shared/session/delete-message.ts";
import { deleteSession } from "../../../shared/session/delete-session.ts";
import { expireIdle } from "../../../shared/session/expire-idle.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { createMessageStore } from "../../../shared/session/message-store.dynamodb.ts";
import { patchSession } from "../../../shared/session/patch-session.ts";
import { purgeSession } from "../../../shared/session/purge-session.ts";
import { showSession } from "../../../shared/session/read-session.ts";
import { reconcile } from "../../../shared/session/reconcile.ts";
import { resetSession } from "../../../shared/session/reset-session.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import type { Tombstone } from "../../../shared/session/session.ts";
import { createSessionStore } from "../../../shared/session/session-store.dynamodb.ts";
import type { Stores } from "../../../shared/session/store.ts";
import { FREE, SETTINGS } from "../../support/chat-world.ts";
import { createMemoryDynamoDB } from "../../support/memory-dynamodb/client.ts";
import { createMemoryFiles } from "../../support/memory-files.ts";
import { createMemoryObjects } from "../../support/memory-objects.ts";
import { NOON } from "../../support/world.ts";

vi.spyOn(console, "log").mockImplementation(() => undefined);
vi.mock("../../../shared/clock.ts", async (original) => ({
  ...(await original<object>()),
  backOff: async () => undefined,
}));

const SESSION = { user: "ann", id: "shared" };
const TTL = 60;
const HOUR = 3_600_000;
const LONG = Number.POSITIVE_INFINITY;

/** A table and a bucket with one session, and everything that acts on it. */
function createStage() {
  let now = NOON;
  let requests = 0;
  let questions = 0;
  let onCall: (() => Promise<void>) | undefined;
  const inserted: Captured[] = [];
  let headerExpiry: DynamoDBRecord | undefined;
  let earlier: Tombstone | undefined;

  const gate = async () => {
    await onCall?.();
  };
  const { client, execute } = createMemoryDynamoDB(
    { table: conversations },
    {
      onChange: (_table, { before, after }) => {
        if (!before && String(after?.sk).startsWith("M#")) inserted.push(fromMessageImage(marshall(after as Item)));
      },
    },
  );
  const gated = {
    send: async (command: never) => {
      await gate();
      return execute(command);
    },
  } as unknown as typeof client;
  const table = createTable(gated, "table");
  const bucket = createMemoryObjects(gate);
  const clock = () => now;
  const memories = createMemoryStore(table, clock);
  const sessions = createSessionStore(table);
  const stores: Stores = {
    sessions,
    messages: createMessageStore(table),
    memories: createSessionMemories(memories),
    files: createSessionFiles({
      files: createFileStore(table),
      sessions,
      openObjects: async () => createMemoryFiles(gate).objects,
      clock,
    }),
    archive: createArchive(async () => bucket.objects),
    clock,
  };
  const memory: MemoryDependencies = {
    memories,
    embedderOf: ({ dimensions }) => createLexicalEmbedder(dimensions),
    defaultSpace: { model: LEXICAL_MODEL, dimensions: 512 },
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
    specOf: () => ({ context: 8192, input: 1, output: 2 }),
    recorder: noRecorder,
    settings: { ...SETTINGS, sessionTtlSeconds: TTL },
  };
  const archiveJob = createArchiveJob(stores, { mark: async () => undefined });
  const request = () => ({ seed: `request ${requests++}`, at: now });

  const say = (content: string) => appendMessages(stores, SESSION, [{ role: "user", content }], request());
  const create = () => createSession(stores, SESSION.user, { id: SESSION.id, ttl_seconds: TTL }, request(), TTL);
  const rememberAll = () => remember(memory, SESSION.user, inserted);
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

  const operations = {
    append: async () => void (await say(`lantern appended ${requests}`)),
    chat: async () => {
      const turn = await startTurn(chat, {
        session: SESSION,
        plan: FREE,
        claims: {
          claim: async () => ({ kind: "first", identity: request() }),
          keep: async () => undefined,
          release: async () => undefined,
        },
        question: { role: "user", content: `lantern question ${questions++}` },
        memory: false,
        create: true,
        deadline: now + 50_000,
      });
      await turn.done;
      // The failure of a turn whose answer has begun is told in its events.
      for await (const event of turn.events()) void event;
    },
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
    sweep,
    archive,
    create,
    say,
    rememberAll,
    runReconciler,
    advance: (milliseconds: number) => {
      now += milliseconds;
    },
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
    async readable(): Promise<string[] | null> {
      try {
        const { messages } = await listMessages(stores, SESSION, { order: "asc", limit: 100 });
        return messages.map(({ content }) => content);
      } catch (error) {
        if (error instanceof AppError && error.code === "not_found") return null;
        throw error;
      }
    },
    async recalled(): Promise<string[]> {
      const found = await createRecall(memory)(SESSION.user, { text: "lantern", limit: 50 });
      return found.map(({ content }) => content);
    },
    async items(): Promise<Item[]> {
      const { items } = await table.query({
        KeyConditionExpression: "pk = :pk",
        ExpressionAttributeValues: { ":pk": sessionKey(SESSION.user, SESSION.id) },
      });
      return items;
    },
  };
}

type Stage = ReturnType<typeof createStage>;
type Verb = keyof Stage["operations"];

const getHeader = {
  constructor: { name: "GetCommand" },
  input: { TableName: "table", Key: headerKey("ann", "shared") },
};
const deleteHeader = {
  constructor: { name: "DeleteCommand" },
  input: { TableName: "table", Key: headerKey("ann", "shared") },
};

/** Where the session is when the two meet. */
const STATES: Record<string, (stage: Stage) => Promise<void>> = {
  hot: async ({ create, say, rememberAll, rememberTombstone }) => {
    await create();
    await rememberTombstone();
    await say("lantern one");
    await rememberAll();
    await say("lantern two");
  },
  limbo: async (stage) => {
    await STATES.hot?.(stage);
    stage.advance((TTL + 1) * 1000);
    await stage.sweep();
  },
  archived: async (stage) => {
    await STATES.limbo?.(stage);
    await stage.archive();
  },
  "archived, with what a dead restore has left": async (stage) => {
    await STATES.archived?.(stage);
    const dying = { ...stage.stores.sessions, transit: () => Promise.reject(new Error("died")) };
    await restoreSession({ ...stage.stores, sessions: dying }, SESSION).catch(() => undefined);
    stage.advance(16 * 60_000);
  },
  restored: async (stage) => {
    await STATES.archived?.(stage);
    await stage.operations.restore();
  },
  deleted: async (stage) => {
    await STATES.archived?.(stage);
    await stage.operations.delete();
    await stage.rememberTombstone();
    stage.advance(2 * HOUR);
  },
  "created again": async (stage) => {
    await STATES.deleted?.(stage);
    await stage.create();
    await stage.say("lantern new");
  },
};

const ok = async (work: () => Promise<unknown>): Promise<string> => {
  try {
    await work();
    return "ok";
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
};

/** What both answered, and what can be read after it. */
async function outcomeOf(stage: Stage, answers: readonly string[]): Promise<string> {
  const readable = await stage.readable();
  return JSON.stringify([...answers, readable?.map(withoutNumber).toSorted()]);
}

const withoutNumber = (content: string): string => content.replace(/ \d+$/, "");

/** What both orders of two whole operations give. */
async function serialOutcomes(state: string, first: Verb, second: Verb): Promise<Set<string>> {
  const outcomes = new Set<string>();
  for (const order of [
    [first, second],
    [second, first],
  ] as const) {
    const stage = createStage();
    await STATES[state]?.(stage);
    const answers: string[] = [];
    for (const verb of order) answers.push(await ok(stage.operations[verb]));
    if (order[0] === first) outcomes.add(await outcomeOf(stage, answers));
    if (order[1] === first) outcomes.add(await outcomeOf(stage, answers.toReversed()));
  }
  for (const outcome of await splitTurns(state, first, second)) outcomes.add(outcome);
  return outcomes;
}

/** A turn is not one step: it may create its session before the other comes, and fails when its session is deleted under it. */
async function splitTurns(state: string, first: Verb, second: Verb): Promise<string[]> {
  if (first !== "chat") return [];
  const outcomes: string[] = [];
  for (const isCreated of [true, false]) {
    const stage = createStage();
    await STATES[state]?.(stage);
    if (isCreated) await ok(stage.operations.create);
    const other = await ok(stage.operations[second]);
    if (second === "delete") outcomes.push(await outcomeOf(stage, ["not_found", other]));
    outcomes.push(await outcomeOf(stage, [await ok(stage.operations.chat), other]));
  }
  return outcomes;
}

async function expectConsistent(stage: Stage, what: string): Promise<void> {
  const readable = await stage.readable();
  const recalled = await stage.recalled();
  expect(
    recalled.filter((content) => !readable?.includes(content)),
    `${what}: recalled although deleted`,
  ).toEqual([]);
  if (readable) {
    const { message_count, status } = await showSession(stage.stores, SESSION);
    expect([status, message_count], `${what}: the header`).toEqual([expect.any(String), readable.length]);
  }
}

/** After the reconciler has had its time, nothing is left that should not be there, and everything is remembered. */
async function expectQuiet(stage: Stage, what: string): Promise<void> {
  const before = await stage.readable();
  for (let n = 0; n < 4; n++) {
    await stage.runReconciler();
    stage.advance(20 * 60_000);
    await stage.sweep();
    await stage.archive();
  }
  for (let n = 0; n < 3; n++) {
    stage.advance(2 * HOUR);
    await stage.runReconciler();
  }
  await stage.rememberAll();
  await expectConsistent(stage, what);
  const readable = await stage.readable();
  expect(readable?.toSorted() ?? null, `${what}: later`).toEqual(before?.toSorted() ?? null);
  expect((await stage.recalled()).toSorted(), `${what}: remembered`).toEqual((readable ?? []).toSorted());

  const items = await stage.items();
  const kinds = Object.groupBy(items, ({ sk }) => String(sk).split("#")[0] ?? "");
  const hot = (kinds.M ?? []).map(({ content }) => String(content)).toSorted();
  if (!readable) {
    expect([items.map(({ sk }) => sk), stage.bucket.size()], `${what}: left of a deleted session`).toEqual([[], 0]);
    return;
  }
  const { status } = await showSession(stage.stores, SESSION);
  const stored = { D: kinds.D?.length ?? 0, hot, cold: stage.bucket.contents().toSorted() };
  const all = readable.toSorted();
  const expected = status === "active" ? { hot: all, cold: [] } : { hot: [], cold: all };
  expect(stored, `${what}: stored`).toEqual({ D: 0, ...expected });
  expect(await stage.stores.sessions.countActive(), `${what}: active`).toBe(status === "active" ? 1 : 0);
}

const VERBS: Verb[] = [
  "append",
  "chat",
  "restore",
  "reset",
  "delete",
  "create",
  "archive",
  "reconcile",
  "remember",
  "purge",
  "expire",
  "patch",
];

describe("a reset that dies after it lost against a message", () => {
  it("deletes nothing", async () => {
    const stage = createStage();
    await STATES.hot?.(stage);
    let attempts = 0;
    const losing = {
      ...stage.stores.sessions,
      transit: async () => false,
      find: (session: typeof SESSION) => {
        if (attempts++ > 0) throw new Error("died");
        return stage.stores.sessions.find(session);
      },
    };
    const reset = resetSession({ ...stage.stores, sessions: losing }, SESSION, { seed: "reset" });
    await expect(reset).rejects.toThrow("died");
    expect((await stage.readable())?.toSorted()).toEqual(["lantern one", "lantern two"]);
    await expectQuiet(stage, "lost");
  });
});

describe("a reset that dies after its transaction", () => {
  it.each(["archive", "restore"] as const)("leaves no memory for good when the next step is: %s", async (next) => {
    const stage = createStage();
    await STATES.hot?.(stage);
    const dying = { ...stage.stores.memories, forget: () => Promise.reject(new Error("died")) };
    const reset = resetSession({ ...stage.stores, memories: dying }, SESSION, { seed: "reset" });
    await expect(reset).rejects.toThrow("died");
    stage.advance((TTL + 1) * 1000);
    await stage.sweep();
    await stage.archive();
    if (next === "restore") await stage.operations.restore();
    await expectQuiet(stage, next);
    expect((await stage.items()).filter(({ sk }) => String(sk).startsWith("E#"))).toEqual([]);
  });
});

describe.each(Object.keys(STATES))("two actors on a session that is %s", (state) => {
  it.each(VERBS)("end as if one had come after the other, when any of them runs at any call of: %s", async (first) => {
    for (const second of VERBS) {
      if (isNoOperation(state, first) || isNoOperation(state, second)) continue;
      const serial = await serialOutcomes(state, first, second);
      for (let n = 0; ; n++) {
        const stage = createStage();
        await STATES[state]?.(stage);
        const { operations } = stage;
        const answers = await stage.interleaved(
          n,
          () => ok(operations[first]),
          () => ok(operations[second]),
        );
        if (!answers) break;
        const what = `${second} at call ${n} of ${first}`;
        const outcome = await outcomeOf(stage, answers);
        if (!serial.has(outcome)) expect(`${what}: ${outcome}`).toBe(`one of ${[...serial].join(" or ")}`);
        await expectConsistent(stage, what);
        await expectQuiet(stage, what);
      }
    }
  });
});

describe("two actors on a session whose title comes from its question", () => {
  const deleteFirst = async ({ stores }: Stage) => {
    const { messages } = await listMessages(stores, SESSION, { order: "asc", limit: 1 });
    if (messages[0]) await deleteMessage(stores, SESSION, messages[0].id);
  };
  const acts: Record<string, (stage: Stage) => Promise<unknown>> = {
    reset: ({ operations }) => operations.reset(),
    deletion: deleteFirst,
    title: ({ operations }) => operations.patch(),
    metadata: ({ stores }) => patchSession(stores, SESSION, { metadata: { a: 1 } }, undefined),
    turn: ({ operations }) => operations.chat(),
  };
  const titlesOf = async ({ stores: { sessions } }: Stage) =>
    [await sessions.find(SESSION), await sessions.findAnchor(SESSION)].map((item) => item?.title);

  /** Runs `second` at every call of `first`, on a session that one turn has given a title, or that has none yet. */
  async function eachMeeting(
    isTitled: boolean,
    first: string,
    second: string,
    check: (stage: Stage, what: string) => Promise<void>,
  ): Promise<void> {
    for (let n = 0; ; n++) {
      const stage = createStage();
      await (isTitled ? stage.operations.chat() : stage.create());
      const run = (act: string) => () => ok(() => acts[act]!(stage));
      const answers = await stage.interleaved(n, run(first), run(second));
      if (!answers) break;
      expect(answers, `${second} at call ${n} of ${first}`).toEqual(["ok", "ok"]);
      await check(stage, `${second} at call ${n} of ${first}`);
    }
  }

  it.each([
    ["reset", "title"],
    ["title", "reset"],
    ["deletion", "title"],
    ["title", "deletion"],
  ])("keep the title that a client sets, when any call of one (%s) meets the other (%s)", async (first, second) => {
    await eachMeeting(true, first, second, async (stage, what) => {
      expect(await titlesOf(stage), what).toEqual(["patched", "patched"]);
      await stage.operations.reset();
      expect(await titlesOf(stage), `${what}, then a reset`).toEqual(["patched", "patched"]);
    });
  });

  it.each([
    ["reset", "metadata"],
    ["metadata", "reset"],
    ["deletion", "metadata"],
    ["metadata", "deletion"],
  ])("leave no title of deleted messages, when any call of one (%s) meets the other (%s)", async (first, second) => {
    await eachMeeting(true, first, second, async (stage, what) => {
      expect(await titlesOf(stage), what).toEqual([null, null]);
    });
  });

  it.each(["reset", "deletion"])(
    "give no title of messages that a %s deletes during the first turn",
    async (second) => {
      await eachMeeting(false, "turn", second, async (stage, what) => {
        const [title, copy] = await titlesOf(stage);
        expect(copy, what).toBe(title);
        if (title !== null) expect(await stage.readable(), what).toContain(title);
      });
    },
  );
});

/** A purge is only ever begun for a session that was deleted. */
const isNoOperation = (state: string, verb: Verb): boolean =>
  verb === "purge" && state !== "deleted" && state !== "created again";
