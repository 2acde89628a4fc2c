import { type Clock, toSeconds } from "../clock.ts";
import {
  anchorKey,
  MEMORY_PREFIX,
  memoryKey,
  memoryLayoutKey,
  memorySummaryKey,
  parseSessionKey,
  sessionKey,
} from "../dynamodb/keys.ts";
import { type Item, projectionOf, type Table } from "../dynamodb/table.ts";
import { MEMORIES_BY_TIME, memoryVectorIndex, memoryVectorNames } from "../dynamodb/tables.ts";
import { type NewId, randomId } from "../random.ts";
import { retention } from "../retention/policy.ts";
import type { Anchor, SessionId } from "../session/session.ts";
import { withForgottenMemories, withForgottenSession } from "./forgotten.ts";
import {
  fromLayoutItem,
  fromMemoryItem,
  fromSummaryItem,
  placesIn,
  toCandidate,
  toMemoryItem,
  vectorAttributes,
} from "./items.dynamodb.ts";
import { type MemoryRecord, sessionOf } from "./record.ts";
import { noStatistics, type TermStatistics } from "./statistics.ts";
import type { Change, MemoryStore, Summary } from "./store.ts";

/** Memories of one transaction: with the summary and a session for each, they stay below its 100 actions. */
const MAX_PER_CHANGE = 45;

/** What is read of memories, and of the sessions that they belong to: not the vectors, which are most of an item. */
const MEMORY_ATTRIBUTES = ["pk", "sk", "memory_of", "session_id", "id", "said", "forgotten"];
const CANDIDATE_ATTRIBUTES = ["session_id", ...memoryVectorIndex.nonKeyAttributes];
const ANCHOR_ATTRIBUTES = ["pk", "state", "live_generation", "reset_generation"];

/** Memories in the table `conversations`. */
export function createMemoryStore(table: Table, clock: Clock, newId: NewId = randomId): MemoryStore {
  const stamp = () => ({ version: newId(), now: clock() });

  /** The anchors of sessions by partition key. */
  async function anchorsOf(sessions: readonly SessionId[]): Promise<Map<string, Anchor>> {
    const keys = new Map(sessions.map(({ user, id }) => [sessionKey(user, id), anchorKey(user, id)]));
    const anchors = await table.batchGet([...keys.values()], { consistent: true, attributes: ANCHOR_ATTRIBUTES });
    return new Map(anchors.map((item) => [String(item.pk), item as unknown as Anchor]));
  }

  async function ofLivingSessions<T extends MemoryRecord>(records: readonly T[]): Promise<T[]> {
    const anchors = await anchorsOf(records.map(sessionOf));
    return records.filter((record) =>
      isOfLivingSession(record, anchors.get(sessionKey(record.user_id, record.session_id))),
    );
  }

  return {
    maxPerChange: MAX_PER_CHANGE,

    summary: async (user) => fromSummaryItem((await table.get(memorySummaryKey(user))) ?? undefined),

    layout: async () => fromLayoutItem(await table.get(memoryLayoutKey)),

    async setLayout(from, to) {
      const { done } = await table.put({
        Item: { ...memoryLayoutKey, layout: JSON.stringify(to) },
        ...(from
          ? { ConditionExpression: "layout = :from", ExpressionAttributeValues: { ":from": JSON.stringify(from) } }
          : { ConditionExpression: "attribute_not_exists(pk)" }),
      });
      return done;
    },

    async search(user, { slot, vector, limit, session_id, period }) {
      const found = await table.searchVectors({
        index: memoryVectorNames({ slot, dimensions: vector.length }).index,
        vector,
        limit,
        attributes: CANDIDATE_ATTRIBUTES,
        where: {
          memory_of: user,
          ...(session_id === undefined ? {} : { session_id }),
          ...(period === undefined ? {} : { [period.length === 4 ? "said_in_year" : "said_in_month"]: period }),
        },
      });
      return found.map(({ item, distance }) => ({
        candidate: toCandidate({ ...item, memory_of: user }),
        similarity: 1 - distance,
      }));
    },

    async find(memories) {
      const keys = memories.map(({ session, id }) => memoryKey(session.user, session.id, id));
      const items = await table.batchGet(keys, { consistent: true, attributes: MEMORY_ATTRIBUTES });
      return await ofLivingSessions(items.filter(isMemory).map(fromMemoryItem));
    },

    ofLivingSessions,

    async lives(sessions) {
      const anchors = [...(await anchorsOf(sessions))].filter(([, { state }]) => state !== "deleted");
      return new Map(anchors.map(([pk, { reset_generation = 0 }]) => [parseSessionKey(pk).id, reset_generation]));
    },

    async present(drafts) {
      const items = await table.batchGet(
        drafts.map(({ user_id, session_id, id }) => memoryKey(user_id, session_id, id)),
      );
      return new Set(items.map(idOf));
    },

    async before(session, id, limit) {
      const { items } = await table.query({
        KeyConditionExpression: "pk = :pk AND sk BETWEEN :first AND :last",
        ExpressionAttributeValues: {
          ":pk": sessionKey(session.user, session.id),
          ":first": MEMORY_PREFIX,
          ":last": MEMORY_PREFIX + id,
        },
        ConsistentRead: true,
        ...projectionOf(MEMORY_ATTRIBUTES),
        ScanIndexForward: false,
        Limit: limit + 1,
      });
      return items.filter((item) => isMemory(item) && item.id !== id).map(fromMemoryItem);
    },

    async add(user, memories, from, to) {
      const sessions = new Map<string, MemoryRecord[]>();
      for (const { record } of memories)
        sessions.set(record.session_id, [...(sessions.get(record.session_id) ?? []), record]);
      const refusals = await table.transact([
        { Put: summaryPut(user, from, to, stamp()) },
        ...memories.map(({ record, vectors }) => ({
          Put: { Item: toMemoryItem(record, vectors), ConditionExpression: "attribute_not_exists(pk)" },
        })),
        ...[...sessions.values()].map(anchorCheck),
      ]);
      if (!refusals) return { kind: "done" };
      const ids = new Set(memories.filter((_, n) => refusals[n + 1]?.failed).map(({ record }) => record.id));
      for (const [n, records] of [...sessions.values()].entries()) {
        const refusal = refusals[n + 1 + memories.length];
        if (!refusal?.failed) continue;
        for (const record of records) if (!isWelcome(record, refusal.item as Anchor | undefined)) ids.add(record.id);
      }
      return changeOf(ids);
    },

    async remove(records, from, to, keepName) {
      const user = records[0]?.user_id ?? "";
      const ids = records.map(({ id }) => id);
      const named = keepName ? withForgottenMemories(from, ids) : from;
      const refusals = await table.transact([
        { Put: summaryPut(user, named, to, stamp()) },
        ...records.map((record) => {
          const Key = memoryKey(record.user_id, record.session_id, record.id);
          const ConditionExpression = "attribute_exists(pk) AND attribute_not_exists(forgotten)";
          return keepName
            ? { Put: { Item: { ...Key, forgotten: true, generation: record.generation }, ConditionExpression } }
            : { Delete: { Key, ConditionExpression } };
        }),
      ]);
      if (!refusals) return { kind: "done" };
      return changeOf(new Set(records.filter((_, n) => refusals[n + 1]?.failed).map(({ id }) => id)));
    },

    hiding({ user, id }, from, forgotten) {
      // Where nothing is remembered, nothing has to be hidden, as long as it stays so.
      if (from.version === "") return { ConditionCheck: { Key: memorySummaryKey(user), ...unchanged(from) } };
      return { Put: summaryPut(user, withForgottenSession(from, id, forgotten), from.statistics, stamp()) };
    },

    async forgetAll(user, from, now) {
      const { done } = await table.put(summaryPut(user, { ...from, forgottenBefore: now }, noStatistics(), stamp()));
      return done;
    },

    async erase(records) {
      await table.batchWrite(
        [],
        records.map(({ user_id, session_id, id }) => memoryKey(user_id, session_id, id)),
      );
    },

    async *ofSession(session) {
      const pages = table.pages({
        KeyConditionExpression: "pk = :pk AND begins_with(sk, :prefix)",
        ExpressionAttributeValues: { ":pk": sessionKey(session.user, session.id), ":prefix": MEMORY_PREFIX },
        ConsistentRead: true,
      });
      for await (const { items } of pages) {
        yield {
          records: items.filter(isMemory).map((item) => ({ ...fromMemoryItem(item), places: placesIn(item) })),
          forgotten: items
            .filter((item) => !isMemory(item))
            .map((item) => ({ id: idOf(item), generation: Number(item.generation ?? 0) })),
        };
      }
    },

    async clearForgotten({ user, id }, ids) {
      await table.batchWrite(
        [],
        ids.map((memory) => memoryKey(user, id, memory)),
      );
    },

    async list(user, { limit, after }) {
      const { items } = await table.query({
        IndexName: MEMORIES_BY_TIME,
        KeyConditionExpression: after === undefined ? "memory_of = :user" : "memory_of = :user AND id < :after",
        ExpressionAttributeValues: { ":user": user, ...(after === undefined ? {} : { ":after": after }) },
        ScanIndexForward: false,
        Limit: limit + 1,
      });
      return { records: items.slice(0, limit).map(fromMemoryItem), more: items.length > limit };
    },

    async locate(user, id) {
      const { items } = await table.query({
        IndexName: MEMORIES_BY_TIME,
        KeyConditionExpression: "memory_of = :user AND id = :id",
        ExpressionAttributeValues: { ":user": user, ":id": id },
      });
      return items[0] ? parseSessionKey(String(items[0].pk)) : null;
    },

    async changeVectors(record, { set = {}, remove = [] }) {
      const vectors = vectorAttributes(set);
      const added = Object.keys(vectors);
      const removed = remove.map((place) => memoryVectorNames(place).vector);
      if (added.length + removed.length === 0) return;
      const clauses = [
        ...(added.length > 0 ? [`SET ${added.map((name) => `#${name} = :${name}`).join(", ")}`] : []),
        ...(removed.length > 0 ? [`REMOVE ${removed.map((name) => `#${name}`).join(", ")}`] : []),
      ];
      await table.update({
        Key: memoryKey(record.user_id, record.session_id, record.id),
        UpdateExpression: clauses.join(" "),
        ConditionExpression: "attribute_exists(memory_of)",
        ExpressionAttributeNames: Object.fromEntries([...added, ...removed].map((name) => [`#${name}`, name])),
        ...(added.length > 0
          ? { ExpressionAttributeValues: Object.fromEntries(added.map((name) => [`:${name}`, vectors[name]])) }
          : {}),
      });
    },
  };
}

const idOf = ({ sk }: Item): string => String(sk).slice(MEMORY_PREFIX.length);

const isMemory = (item: Item): boolean => item.forgotten !== true;

const changeOf = (ids: Set<string>): Change => (ids.size > 0 ? { kind: "refused", ids } : { kind: "stale" });

/**
 * The summary with other statistics, in the place of the one that was read. Without memories it expires: not at once, because it
 * names what an index may still hold.
 */
const summaryPut = (
  user: string,
  from: Summary,
  { memories, length, frequencies }: TermStatistics,
  { version, now }: { version: string; now: number },
) => ({
  Item: {
    ...memorySummaryKey(user),
    memories,
    length,
    frequencies,
    forgotten_before: from.forgottenBefore,
    forgotten_ids: from.forgotten,
    forgotten_sessions: from.forgottenSessions,
    version,
    ...(memories === 0 && from.forgottenBefore === 0
      ? { expires_at: toSeconds(now) + retention.emptyMemorySummary.seconds }
      : {}),
  },
  ...unchanged(from),
});

const unchanged = ({ version }: Summary) =>
  version === ""
    ? { ConditionExpression: "attribute_not_exists(pk)" }
    : { ConditionExpression: "version = :version", ExpressionAttributeValues: { ":version": version } };

/** The session of these memories must exist, with no newer generation than the messages were captured in. */
function anchorCheck(records: readonly MemoryRecord[]) {
  const [first] = records;
  if (!first) throw new Error("a session without memories");
  const { user, id } = sessionOf(first);
  return {
    ConditionCheck: {
      Key: anchorKey(user, id),
      ConditionExpression: "#state <> :deleted AND live_generation <= :generation",
      ExpressionAttributeNames: { "#state": "state" },
      ExpressionAttributeValues: {
        ":deleted": "deleted",
        ":generation": Math.min(...records.map(({ generation }) => generation)),
      },
    },
  };
}

/** What `anchorCheck` asks, of one memory. */
const isWelcome = (record: MemoryRecord, anchor: Anchor | undefined): boolean =>
  isOfLivingSession(record, anchor) && (anchor?.live_generation ?? 0) <= record.generation;

/** Whether the session is there and was not reset since: deletions of large sessions go on after they were answered. */
const isOfLivingSession = ({ generation }: MemoryRecord, anchor: Anchor | undefined): boolean =>
  anchor !== undefined && anchor.state !== "deleted" && (anchor.reset_generation ?? 0) <= generation;
