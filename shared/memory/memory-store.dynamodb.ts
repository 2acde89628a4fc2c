import { type Clock, toSeconds } from "../clock.ts";
import {
  anchorKey,
  type Key,
  MEMORY_PREFIX,
  memoryKey,
  memoryLayoutKey,
  memorySummaryKey,
  personKey,
  sessionKey,
} from "../dynamodb/keys.ts";
import { projectionOf, type Table } from "../dynamodb/table.ts";
import { memoryVectorNames } from "../dynamodb/tables.ts";
import { type NewId, randomId } from "../random.ts";
import { retention } from "../retention/policy.ts";
import type { Anchor } from "../session/session.ts";
import { withForgottenMemories, withForgottenSession } from "./forgotten.ts";
import {
  fromLayoutItem,
  fromMemoryItem,
  fromPrecedingItem,
  fromSummaryItem,
  isMemory,
  MEMORY_ATTRIBUTES,
  memoryIdOf,
  placesIn,
  toMemoryItem,
  vectorAttributes,
} from "./items.dynamodb.ts";
import { type Draft, type MemoryRecord, timePrefix } from "./memory.ts";
import {
  anchorKeysOf,
  anchorsIn,
  createMemoryReader,
  findAnchors,
  isOfLivingSession,
  livesIn,
} from "./memory-reader.dynamodb.ts";
import type { Change, Life, MemoryStore, Summary } from "./memory-store.ts";
import { noStatistics, type TermStatistics } from "./statistics.ts";

/** The user has not switched memory off. */
const isMemoryOn = {
  ConditionExpression: "attribute_not_exists(#memory) OR #memory <> :off",
  ExpressionAttributeNames: { "#memory": "memory" },
  ExpressionAttributeValues: { ":off": false },
};

/** Memories in the table `conversations`. */
export function createMemoryStore(table: Table, clock: Clock, newId: NewId = randomId): MemoryStore {
  const summaryPut = (user: string, from: Summary, to: TermStatistics) =>
    replaceSummary(user, from, to, { version: newId(), now: clock() });

  return {
    ...createMemoryReader(table),

    async basisOf(user, sessions, drafts) {
      const [person, summary] = [personKey(user), memorySummaryKey(user)];
      const keys = [person, summary, memoryLayoutKey, ...anchorKeysOf(sessions), ...draftKeys(drafts)];
      const items = await table.batchGet(keys, { consistent: true });
      const itemOf = ({ pk, sk }: Key) => items.find((item) => item.pk === pk && item.sk === sk);
      const { memory, memory_since = 0 } = itemOf(person) ?? {};
      return {
        since: memory === false ? null : Number(memory_since),
        lives: await livesIn(table, anchorsIn(items)),
        summary: fromSummaryItem(itemOf(summary)),
        layout: fromLayoutItem(itemOf(memoryLayoutKey)),
        present: new Set(items.filter(({ sk }) => String(sk).startsWith(MEMORY_PREFIX)).map(memoryIdOf)),
      };
    },

    livesOf: async (sessions) => livesIn(table, await findAnchors(table, sessions)),

    async presentIds(drafts, options) {
      return new Set((await table.batchGet(draftKeys(drafts), options)).map(memoryIdOf));
    },

    async preceding({ session, id }, limit) {
      const { items } = await table.query({
        KeyConditionExpression: "pk = :pk AND sk BETWEEN :first AND :last",
        ExpressionAttributeValues: {
          ":pk": sessionKey(session.user, session.id),
          ":first": MEMORY_PREFIX,
          ":last": MEMORY_PREFIX + id,
        },
        ConsistentRead: true,
        ...projectionOf([...MEMORY_ATTRIBUTES, "digests"]),
        ScanIndexForward: false,
        Limit: limit,
      });
      const records = items.filter((item) => isMemory(item) && item.id !== id).map(fromPrecedingItem);
      return { records, more: items.length === limit };
    },

    async add(user, memories, lives, from, to) {
      const sessions = [...Map.groupBy(memories, ({ session_id }) => session_id).values()];
      const refusals = await table.transact([
        { Put: summaryPut(user, from, to) },
        ...memories.map((memory) => ({
          Put: { Item: toMemoryItem(memory), ConditionExpression: "attribute_not_exists(pk)" },
        })),
        ...sessions.map((records) => anchorCheck(records, lives.get(records[0]?.session_id ?? ""))),
        { ConditionCheck: { Key: personKey(user), ...isMemoryOn } },
      ]);
      if (!refusals) return { done: true };
      if (refusals.at(-1)?.failed) return refused(memories);
      const isStored = memories.filter((_, n) => refusals[n + 1]?.failed);
      const failed = sessions.flatMap((records, n) => {
        const refusal = refusals[n + 1 + memories.length];
        return refusal?.failed ? [{ records, anchor: refusal.item as Anchor | undefined }] : [];
      });
      const isOutdated = failed.flatMap(({ records, anchor }) =>
        records.filter((one) => !passesAnchorCheck(one, anchor)),
      );
      const isStale = failed.some(({ records: [first], anchor }) =>
        isChanged(anchor, lives.get(first?.session_id ?? "")),
      );
      return { ...refused([...isStored, ...isOutdated]), isStale };
    },

    async remove(records, from, to, { keepName = false, life }) {
      const user = records[0]?.user_id ?? "";
      const named = keepName
        ? withForgottenMemories(
            from,
            records.map(({ id }) => id),
          )
        : from;
      const refusals = await table.transact([
        { Put: summaryPut(user, named, to) },
        ...records.map(({ user_id, session_id, id, generation }) => {
          const Key = memoryKey(user_id, session_id, id);
          const ConditionExpression = "attribute_exists(pk) AND attribute_not_exists(forgotten)";
          return keepName
            ? { Put: { Item: { ...Key, forgotten: true, generation }, ConditionExpression } }
            : { Delete: { Key, ConditionExpression } };
        }),
        ...(life ? [unchangedCheck(records, life)] : []),
      ]);
      if (!refusals) return { done: true };
      const isStale = refusals[records.length + 1]?.failed === true;
      return { ...refused(records.filter((_, n) => refusals[n + 1]?.failed)), isStale };
    },

    hidingAction({ user, id }, from, forgotten) {
      // A user without a summary has no memories to hide, provided that none is added before the transaction.
      if (from.version === "") return { ConditionCheck: { Key: memorySummaryKey(user), ...summaryUnchanged(from) } };
      return { Put: summaryPut(user, withForgottenSession(from, id, forgotten), from.statistics) };
    },

    async forgetAll(user, from, now) {
      const { done } = await table.put(summaryPut(user, { ...from, forgottenBefore: now }, noStatistics()));
      return done;
    },

    async setLayout(from, to) {
      const { done } = await table.put({
        Item: { ...memoryLayoutKey, layout: JSON.stringify(to) },
        ...(from
          ? { ConditionExpression: "layout = :from", ExpressionAttributeValues: { ":from": JSON.stringify(from) } }
          : { ConditionExpression: "attribute_not_exists(pk)" }),
      });
      return done;
    },

    async *ofSession(session, since) {
      const pages = table.pages({
        KeyConditionExpression: "pk = :pk AND sk BETWEEN :first AND :last",
        ExpressionAttributeValues: {
          ":pk": sessionKey(session.user, session.id),
          ":first": MEMORY_PREFIX + (since ? timePrefix(since) : ""),
          ":last": `${MEMORY_PREFIX}~`,
        },
        ConsistentRead: true,
      });
      for await (const { items } of pages) {
        yield {
          records: items.filter(isMemory).map((item) => ({ ...fromMemoryItem(item), places: placesIn(item) })),
          forgotten: items
            .filter((item) => !isMemory(item))
            .map((item) => ({ id: memoryIdOf(item), generation: Number(item.generation ?? 0) })),
        };
      }
    },

    async erase(memories) {
      await table.batchWrite(
        [],
        memories.map(({ session, id }) => memoryKey(session.user, session.id, id)),
      );
    },

    async changeVectors({ user_id, session_id, id }, { set = {}, remove = [] }) {
      const vectors = vectorAttributes(set);
      const added = Object.keys(vectors);
      const removed = remove.map((place) => memoryVectorNames(place).vector);
      if (added.length + removed.length === 0) return;
      const clauses = [
        ...(added.length > 0 ? [`SET ${added.map((name) => `#${name} = :${name}`).join(", ")}`] : []),
        ...(removed.length > 0 ? [`REMOVE ${removed.map((name) => `#${name}`).join(", ")}`] : []),
      ];
      await table.update({
        Key: memoryKey(user_id, session_id, id),
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

/** A message may be given twice, and a call takes a key once only. */
const draftKeys = (drafts: readonly Draft[]): Key[] =>
  [...new Map(drafts.map((draft) => [draft.id, draft])).values()].map(({ user_id, session_id, id }) =>
    memoryKey(user_id, session_id, id),
  );

const refused = (records: readonly MemoryRecord[]): Exclude<Change, { done: true }> => ({
  done: false,
  refused: new Set(records.map(({ id }) => id)),
});

/**
 * The write that replaces the summary that was read. A summary without memories expires, but not at once, because it names what an
 * index may still hold.
 */
const replaceSummary = (
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
  ...summaryUnchanged(from),
});

const summaryUnchanged = ({ version }: Summary) =>
  version === ""
    ? { ConditionExpression: "attribute_not_exists(pk)" }
    : { ConditionExpression: "version = :version", ExpressionAttributeValues: { ":version": version } };

/** The session of new memories must exist, with its tree as it was read and no newer generation than that of their messages. */
function anchorCheck(records: readonly MemoryRecord[], life: Life | undefined) {
  const tree = sameTree(life);
  const values = { ":deleted": "deleted", ":generation": Math.min(...records.map(({ generation }) => generation)) };
  return {
    ConditionCheck: {
      Key: anchorKeyOf(records),
      ConditionExpression: `#state <> :deleted AND live_generation <= :generation AND ${tree.condition}`,
      ExpressionAttributeNames: { "#state": "state" },
      ExpressionAttributeValues: { ...values, ...tree.values },
    },
  };
}

/** The anchor must be as it was read: then the messages are where they were, and the same ones are current. */
function unchangedCheck(records: readonly MemoryRecord[], life: Life) {
  const { condition, values } = sameTree(life);
  const { state, live_generation } = life.anchor;
  return {
    ConditionCheck: {
      Key: anchorKeyOf(records),
      ConditionExpression: `#state = :state AND live_generation = :live AND ${condition}`,
      ExpressionAttributeNames: { "#state": "state" },
      ExpressionAttributeValues: { ...values, ":state": state, ":live": live_generation },
    },
  };
}

function anchorKeyOf([first]: readonly MemoryRecord[]): Key {
  if (!first) throw new Error("a session without memories");
  return anchorKey(first.user_id, first.session_id);
}

function sameTree(life: Life | undefined): { condition: string; values: Record<string, number> } {
  const version = life?.anchor.tree_version;
  return version === undefined
    ? { condition: "attribute_not_exists(tree_version)", values: {} }
    : { condition: "tree_version = :tree", values: { ":tree": version } };
}

const isChanged = (anchor: Anchor | undefined, life: Life | undefined): boolean =>
  anchor !== undefined && anchor.tree_version !== life?.anchor.tree_version;

/** The condition of `anchorCheck` for one new memory, apart from its tree. */
const passesAnchorCheck = (record: MemoryRecord, anchor: Anchor | undefined): boolean =>
  isOfLivingSession(record, anchor) && (anchor?.live_generation ?? 0) <= record.generation;
