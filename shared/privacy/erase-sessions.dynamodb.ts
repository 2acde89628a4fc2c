import pMap from "p-map";
import { ANCHOR, type Key, parseSessionKey, sessionKey, shards } from "../dynamodb/keys.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { SESSIONS_BY_ACTIVITY, SESSIONS_DUE } from "../dynamodb/tables.ts";
import { contended, retryContended } from "../session/retry-contended.ts";
import { dueSoon, type SessionId } from "../session/session.ts";
import type { Stores } from "../session/store.ts";
import type { Eraser } from "./erasure.ts";

type Items = Pick<Table, "pages" | "batchWrite">;

/** Sessions that are searched or erased at the same time. */
const PARALLEL = 8;

const TRACES = "traces of deleted sessions";

/** The kinds of items in a session's partition, by the first character of the sort key. Other items belong to the session itself. */
const KINDS: Record<string, string> = {
  M: "messages",
  I: "messages",
  L: "messages",
  E: "memories",
  F: "uses of files",
};

/**
 * Erases the sessions of a user, with all items in their partitions. It first turns a session into a tombstone, which refuses late writes.
 * It deletes the tombstone last, because the search finds the session's partition by it.
 */
export function createSessionEraser(table: Items, stores: Pick<Stores, "sessions" | "clock">, user: string): Eraser {
  let found: string[] = [];

  return {
    async search(isFinal) {
      found = await sessionsOf(table, user);
      const counts = Object.fromEntries(["sessions", TRACES, ...Object.values(KINDS)].map((name) => [name, 0]));
      await pMap(
        found,
        async (id) => {
          for await (const items of itemsOf(table, { user, id })) {
            for (const item of items) {
              const kind = kindOf(item);
              if (kind !== undefined && (isFinal || kind !== TRACES)) counts[kind] = (counts[kind] ?? 0) + 1;
            }
          }
        },
        { concurrency: PARALLEL },
      );
      return counts;
    },

    async erase(isFinal, isOver) {
      let isWhole = true;
      await pMap(
        found,
        async (id) => {
          if (isOver() || !(await eraseSession({ user, id }, isFinal, isOver))) isWhole = false;
        },
        { concurrency: PARALLEL },
      );
      return isWhole;
    },
  };

  async function eraseSession(session: SessionId, isFinal: boolean, isOver: () => boolean): Promise<boolean> {
    await retryContended(async () => {
      const anchor = await stores.sessions.findAnchor(session);
      if (!anchor || anchor.state === "deleted") return true;
      // Do not hide the memories one by one as a DELETE does, because this changes an item that all sessions of the user share.
      const done = await stores.sessions.transit(session, {
        from: await stores.sessions.find(session),
        to: null,
        anchor: {
          expect: { newest: anchor.generation },
          set: { state: "deleted", due_at: dueSoon(stores.clock()), cleanup: true },
        },
        active: anchor.state === "active" ? -1 : 0,
      });
      return done || contended;
    });
    const last: Key[] = [];
    for await (const items of itemsOf(table, session)) {
      if (isOver()) return false;
      const [traces, rest] = [items.filter(isTrace), items.filter((item) => !isTrace(item))];
      await table.batchWrite([], rest.map(toKey));
      last.push(...traces.map(toKey));
    }
    if (isFinal) await table.batchWrite([], last);
    return true;
  }
}

/** Returns the kind as which an item is counted. Header and tree are not counted, because the anchor counts as the session. */
function kindOf({ sk, state }: Item): string | undefined {
  const first = String(sk).charAt(0);
  if (first === ANCHOR) return state === "deleted" ? TRACES : "sessions";
  if (first === "D") return TRACES;
  return KINDS[first] ?? (first === "Z" || first === "T" ? undefined : "sessions");
}

const isTrace = ({ sk }: Item): boolean => /^[AD]/.test(String(sk));
const toKey = ({ pk, sk }: Item): Key => ({ pk: String(pk), sk: String(sk) });

/** Finds the ids of all sessions of a user: listed ones by one index; tombstones, and sessions that TTL has deleted, by their anchors. */
async function sessionsOf(table: Items, user: string): Promise<string[]> {
  const ids = new Set<string>();
  const collect = async (query: Parameters<Table["pages"]>[0]) => {
    for await (const { items } of table.pages({ ...query, ProjectionExpression: "pk" })) {
      for (const { pk } of items) {
        const session = parseSessionKey(String(pk));
        if (session.user === user) ids.add(session.id);
      }
    }
  };
  await collect({
    IndexName: SESSIONS_BY_ACTIVITY,
    KeyConditionExpression: "#owner = :user",
    ExpressionAttributeNames: { "#owner": "owner" },
    ExpressionAttributeValues: { ":user": user },
  });
  // This query reads the anchors of all users, about 150 bytes each.
  await Promise.all(
    shards.map((shard) =>
      collect({
        IndexName: SESSIONS_DUE,
        KeyConditionExpression: "due_shard = :shard",
        FilterExpression: "begins_with(pk, :sessions)",
        ExpressionAttributeValues: { ":shard": shard, ":sessions": sessionKey(user, "") },
      }),
    ),
  );
  return [...ids].sort();
}

async function* itemsOf(table: Items, { user, id }: SessionId): AsyncIterable<Item[]> {
  const pages = table.pages({
    KeyConditionExpression: "pk = :pk",
    ExpressionAttributeValues: { ":pk": sessionKey(user, id) },
    ProjectionExpression: "pk, sk, #state",
    ExpressionAttributeNames: { "#state": "state" },
    ConsistentRead: true,
  });
  for await (const { items } of pages) yield items;
}
