/** Runs random operations of the product on a few sessions, so that a client gets realistic calls. */

import { DeleteCommand, type DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { answered, collectDeadTurns } from "../../../shared/chat/end-turn.ts";
import { createTurnStore } from "../../../shared/chat/turn-store.dynamodb.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { AppError } from "../../../shared/errors.ts";
import { createChangedDays } from "../../../shared/lake/changed-days.dynamodb.ts";
import { createLimits } from "../../../shared/limits/limits.dynamodb.ts";
import { createLexicalEmbedder, LEXICAL_MODEL } from "../../../shared/memory/embedder.lexical.ts";
import { forgetEverything, forgetMemory } from "../../../shared/memory/forget.ts";
import { createMemoryStore } from "../../../shared/memory/memory-store.dynamodb.ts";
import { listMemories } from "../../../shared/memory/read-memories.ts";
import { createSearch } from "../../../shared/memory/recall.ts";
import { type MemoryDependencies, remember } from "../../../shared/memory/remember.ts";
import { fold } from "../../../shared/metrics/fold.ts";
import { createMetricStore } from "../../../shared/metrics/metric-store.dynamodb.ts";
import { createRecorder } from "../../../shared/metrics/recorder.dynamodb.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import type { Archive } from "../../../shared/session/archive.ts";
import { archiveSession } from "../../../shared/session/archive-session.ts";
import { createSession } from "../../../shared/session/create-session.ts";
import { deleteSession } from "../../../shared/session/delete-session.ts";
import { expireIdle } from "../../../shared/session/expire-idle.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { type MessageRecord, timeOrderedId } from "../../../shared/session/message.ts";
import { patchSession } from "../../../shared/session/patch-session.ts";
import { reconcile } from "../../../shared/session/reconcile.ts";
import { resetSession } from "../../../shared/session/reset-session.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import { createTally } from "../../../shared/session/tree.ts";
import { createStores } from "../create-stores.ts";
import type { Engines } from "../engines.ts";
import type { Random } from "../random.ts";
import { NOON } from "../world.ts";

/** Runs operations on a few sessions of two users, with a clock that moves forward. */
export async function liveAtRandom(
  client: DynamoDBDocumentClient,
  { tableName, metricsTable: metricsName }: Pick<Engines, "tableName" | "metricsTable">,
  random: Random,
  steps: number,
): Promise<void> {
  let now = NOON;
  const clock = () => now;
  const table = createTable(client, tableName);
  const objects = new Map<string, MessageRecord[]>();
  const memories = createMemoryStore(table, clock);
  const stores = createStores(table, {
    archive: archiveIn(objects),
    clock,
  });
  const turns = createTurnStore(table);
  const limits = createLimits(table);
  const days = createChangedDays(table);
  const metricsTable = createTable(client, metricsName);
  const [recorder, store] = [createRecorder(metricsTable, clock), createMetricStore(metricsTable)];
  const deps: MemoryDependencies = {
    memories,
    embedderOf: ({ dimensions }) => createLexicalEmbedder(dimensions),
    firstLayout: { slot: "a", space: { model: LEXICAL_MODEL, dimensions: 512 } },
    clock,
  };
  const search = createSearch(deps);
  const plan = { name: "free", requests_per_minute: 3, tokens_per_day: 250 };

  for (let step = 0; step < steps; step++) {
    now += random.pick([1, 300, 5000, 30_000]);
    const user = random.pick(["ann", "bob#%"]);
    const session = { user, id: random.pick(["one", "two"]) };
    const request = { seed: `step ${step}`, at: now };
    const words = ["apples", "oranges", "winter", "harbour"].filter(() => random.chance(0.6)).join(" ");
    const say = async () => {
      if (random.chance(0.5)) await createSession(stores, user, { id: session.id }, request, 60).catch(refused);
      const id = random.chance(0.3) ? { id: `own-${random.below(3)}` } : {};
      const inputs = [
        { role: "user" as const, content: `we said ${words}`, ...id },
        { role: "assistant" as const, content: `yes ${step}` },
      ];
      const messages = await appendMessages(stores, session, inputs, request);
      const anchor = await stores.sessions.findAnchor(session);
      const captured = messages.map((message) => ({ session, generation: anchor?.live_generation ?? 0, message }));
      await remember(deps, user, captured);
    };
    const operations: (() => Promise<unknown>)[] = [
      () => createSession(stores, user, { id: session.id, ttl_seconds: random.pick([0, 60]) }, request, 60),
      say,
      () => listMessages(stores, session, { order: random.pick(["asc", "desc"]), limit: 1 + random.below(5) }),
      () =>
        stores.sessions.list(user, {
          status: random.pick(["active", "archived", "all"]),
          order: random.pick(["asc", "desc"]),
          limit: 2,
          now,
        }),
      () => patchSession(stores, session, { title: words, pinned: random.chance(0.2) }, undefined),
      () => resetSession(stores, session, request),
      () => restoreSession(stores, session),
      () => deleteSession(stores, session),
      () => expireIdle(stores, now - 60_000, now + 1000),
      async () => {
        if (random.chance(0.3)) await reconcile(stores, now + 1000, () => undefined);
      },
      async () => {
        const record = await stores.sessions.find(session);
        if (record?.status !== "active" || (record.expires_at ?? 0) > now / 1000) return;
        // Deletes expired items, as TTL does.
        await client.send(
          new DeleteCommand({
            TableName: tableName,
            Key: { pk: `U#${encoded(user)}#S#${session.id}`, sk: "Z" },
          }),
        );
        await archiveSession(stores, record);
      },
      async () => {
        const record = await stores.sessions.find(session);
        if (!record) return;
        const answer = timeOrderedId(request, 1);
        const question = {
          id: timeOrderedId(request, 0),
          role: "user" as const,
          content: words,
          created_at: new Date(now).toISOString(),
        };
        const dead = await collectDeadTurns(turns, record, now);
        await turns.begin({ record, question, answer, branch: 0, isAgain: false, now, until: now + 1000, dead });
        const turn = { ...session, generation: record.generation, answer };
        await turns.saveText(turn, { text: words, model: "m" }, now);
        const begun = await stores.sessions.find(session);
        if (random.chance(0.3) || !begun) return;
        await turns.save(turn, { ...question, id: answer, role: "assistant", model: "m" });
        await turns.close(turn, begun, answered(turn), now);
        if (random.chance(0.2)) await turns.discard(turn);
      },
      () => search(user, { text: words, limit: 5 }),
      () => listMemories(memories, user, { limit: 3 }),
      async () => {
        const { records } = await listMemories(memories, user, { limit: 1 });
        if (records[0]) await forgetMemory(memories, user, records[0].id);
      },
      async () => {
        const anchor = await stores.sessions.findAnchor(session);
        await stores.memories.forget(session, (anchor?.live_generation ?? 0) + random.below(2));
      },
      async () => {
        if (random.chance(0.1)) await forgetEverything({ memories, clock }, user, now + 1000);
      },
      async () => {
        const reservation = await limits.reserve({
          user,
          plan,
          id: `r${step}`,
          tokens: 100,
          least: 10,
          now,
          until: now + 1000,
        });
        if (random.chance(0.7)) await limits.settle(reservation, { input_tokens: 5, output_tokens: 7 }, 0.01);
        await limits.usage(user, now);
      },
      async () => {
        await days.mark(["2026-11-20", "2026-11-21"]);
        for (const day of await days.due(now)) await days.settle(day, random.chance(0.5) ? null : now + 1000);
      },
      async () => {
        recorder.note({
          kind: "session.end",
          dimensions: {},
          measures: { length_s: step, messages: 2 },
          user,
          id: `n${step}`,
        });
        await recorder.record({ kind: "search.call", dimensions: {}, measures: { duration_ms: step }, id: `m${step}` });
        await fold({ store, clock: () => now + 3_600_000 }, "hour", { deadline: Number.POSITIVE_INFINITY });
        await fold({ store, clock: () => now + 86_400_000 }, "day", { deadline: Number.POSITIVE_INFINITY });
      },
    ];
    await (random.chance(0.25) ? say() : random.pick(operations)()).catch(refused);
  }
}

/** Accepts refusals, and throws internal errors again. */
function refused(error: unknown): void {
  if (!(error instanceof AppError) || error.code === "internal") throw error;
}

const encoded = (user: string): string => user.replaceAll("%", "%25").replaceAll("#", "%23");

/** An archive in memory. */
function archiveIn(objects: Map<string, MessageRecord[]>): Archive {
  return {
    async write(header, messages) {
      const all: MessageRecord[] = [];
      const tally = createTally(header.tree);
      for await (const page of messages()) all.push(...page.filter(tally.add));
      const key = `${header.user_id}/${header.id}`;
      const etag = `${key}/${header.live_generation}`;
      objects.set(etag, all);
      const chunks = all[0] ? [{ offset: 0, first: `${all[0].created_at}#` }] : [];
      return { ref: { key, etag, bytes: 1, chunks }, ...tally.result };
    },
    readChunk: async (ref) => objects.get(ref.etag) ?? [],
    find: async () => [],
    remove: async () => undefined,
    ping: async () => undefined,
  };
}
