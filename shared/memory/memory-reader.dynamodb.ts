import {
  ANCHOR,
  anchorKey,
  headerKey,
  type Key,
  memoryKey,
  memoryLayoutKey,
  memorySummaryKey,
  parseSessionKey,
  sessionKey,
  treeKey,
} from "../dynamodb/keys.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { MEMORIES_BY_TIME, memoryVectorIndex, memoryVectorNames } from "../dynamodb/tables.ts";
import { fromHeaderItem, fromTreeItem } from "../session/items.dynamodb.ts";
import type { Anchor, SessionId } from "../session/session.ts";
import { LINEAR, type Tree } from "../session/tree.ts";
import {
  fromLayoutItem,
  fromMemoryItem,
  fromSummaryItem,
  isMemory,
  MEMORY_ATTRIBUTES,
  toCandidate,
} from "./items.dynamodb.ts";
import { keyOf, type MemoryRecord } from "./memory.ts";
import type { Life, MemoryReader } from "./memory-store.ts";

const CANDIDATE_ATTRIBUTES = ["session_id", ...memoryVectorIndex.nonKeyAttributes];
const ANCHOR_ATTRIBUTES = ["pk", "sk", "state", "live_generation", "reset_generation", "tree_version", "incognito"];

/** Reads memories of the table `conversations`. */
export function createMemoryReader(table: Table): MemoryReader {
  async function ofLivingSessions<T extends MemoryRecord>(records: readonly T[]): Promise<T[]> {
    const anchors = await findAnchors(
      table,
      records.map((record) => keyOf(record).session),
    );
    return records.filter((record) =>
      isOfLivingSession(record, anchors.get(sessionKey(record.user_id, record.session_id))),
    );
  }

  return {
    summary: async (user) => fromSummaryItem((await table.get(memorySummaryKey(user))) ?? undefined),

    layout: async () => fromLayoutItem(await table.get(memoryLayoutKey)),

    async search(user, { slot, vector, limit, session_id, period }) {
      const found = await table.searchVectors({
        index: memoryVectorNames({ slot, dimensions: vector.length }).index,
        vector,
        limit,
        attributes: CANDIDATE_ATTRIBUTES,
        where: {
          memory_of: user,
          ...(session_id === undefined ? {} : { session_id }),
          // A period is a year (2026) or a month (2026-11).
          ...(period === undefined ? {} : { [period.length === 4 ? "said_in_year" : "said_in_month"]: period }),
        },
      });
      return found.map(({ item, distance }) => ({
        candidate: toCandidate({ ...item, memory_of: user }),
        similarity: 1 - distance,
      }));
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

    async find(memories) {
      const keys = memories.map(({ session, id }) => memoryKey(session.user, session.id, id));
      const items = await table.batchGet(keys, { consistent: true, attributes: MEMORY_ATTRIBUTES });
      return await ofLivingSessions(items.filter(isMemory).map(fromMemoryItem));
    },

    ofLivingSessions,
  };
}

/** Reads the anchors of sessions, by partition key. */
export async function findAnchors(table: Table, sessions: readonly SessionId[]): Promise<Map<string, Anchor>> {
  const options = { consistent: true, attributes: ANCHOR_ATTRIBUTES };
  return anchorsIn(await table.batchGet(anchorKeysOf(sessions), options));
}

/** The keys of the anchors of sessions, each once. */
export function anchorKeysOf(sessions: readonly SessionId[]): Key[] {
  return [...new Map(sessions.map(({ user, id }) => [sessionKey(user, id), anchorKey(user, id)])).values()];
}

/** Selects the anchors among items, by partition key. */
export function anchorsIn(items: readonly Item[]): Map<string, Anchor> {
  const anchors = items.filter(({ sk }) => sk === ANCHOR);
  return new Map(anchors.map((item) => [String(item.pk), item as unknown as Anchor]));
}

/** The lives of the sessions of anchors, by session id. Reads the trees of those that branched. */
export async function livesIn(table: Table, anchors: ReadonlyMap<string, Anchor>): Promise<Map<string, Life>> {
  const living = [...anchors].filter(([, { state, incognito }]) => state !== "deleted" && !incognito);
  const lives = living.map(async ([pk, anchor]): Promise<[string, Life]> => {
    const session = parseSessionKey(pk);
    const life = { generation: anchor.reset_generation ?? 0, anchor };
    if (anchor.tree_version === undefined) return [session.id, life];
    return [session.id, { ...life, tree: await findTree(table, session, anchor.live_generation) }];
  });
  return new Map(await Promise.all(lives));
}

/** Reads the tree of a branched session, hot or archived. `generation`: its live generation. */
async function findTree(table: Table, { user, id }: SessionId, generation: number): Promise<Tree> {
  const tree = await table.get(treeKey(user, id, generation));
  if (tree) return fromTreeItem(tree);
  // For an archived session, the tree is in the stub, which is written before the tree item is deleted. A reset session has no tree.
  const header = await table.get(headerKey(user, id));
  return (header && fromHeaderItem(header).archive?.tree) ?? LINEAR;
}

/** Whether the session exists and was not reset since. The memories of a deleted session are deleted after its anchor. */
export function isOfLivingSession({ generation }: MemoryRecord, anchor: Anchor | undefined): boolean {
  return anchor !== undefined && anchor.state !== "deleted" && (anchor.reset_generation ?? 0) <= generation;
}
