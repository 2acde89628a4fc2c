import {
  ANCHOR,
  anchorKey,
  counterPartition,
  headerKey,
  type Key,
  parseSessionKey,
  parseTombstoneKey,
  sessionKey,
  shardOf,
  shards,
  tombstoneKey,
} from "../dynamodb/keys.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { SESSIONS_DUE } from "../dynamodb/tables.ts";
import { withFirstPage } from "../prefetch.ts";
import {
  fromAnchorItem,
  fromHeaderItem,
  fromTombstoneItem,
  toAnchorItem,
  toHeaderItem,
  toTombstoneItem,
  treePut,
} from "./items.dynamodb.ts";
import { listSessions } from "./list-sessions.dynamodb.ts";
import {
  anchorAction,
  countAction,
  hasTree,
  headerAction,
  isTombstoneOf,
  settingsAction,
  titleActions,
} from "./session-writes.dynamodb.ts";
import type { SessionStore } from "./store.ts";

/** Stores sessions in the table `conversations`. */
export function createSessionStore(table: Table): SessionStore {
  return {
    async find({ user, id }) {
      const item = await table.get(headerKey(user, id));
      return item && fromHeaderItem(item);
    },

    async findAnchor({ user, id }) {
      const item = await table.get(anchorKey(user, id));
      return item && fromAnchorItem(item);
    },

    async create(record, anchor, over) {
      const shard = shardOf(record.user_id, record.id);
      const condition = over ? isTombstoneOf(over.generation) : { ConditionExpression: "attribute_not_exists(pk)" };
      const refused = await table.transact([
        { Put: { Item: toHeaderItem(record), ConditionExpression: "attribute_not_exists(pk)" } },
        { Put: { Item: toAnchorItem(anchor, shard), ...condition } },
        ...(over ? [{ Put: { Item: toTombstoneItem(over, shard) } }] : []),
        countAction(shard, 1),
      ]);
      return refused === null;
    },

    async transit(session, transition) {
      const shard = shardOf(session.user, session.id);
      const refused = await table.transact([
        headerAction(session, transition),
        ...(transition.anchor ? [anchorAction(session, transition.anchor, shard, transition.tree)] : []),
        ...(transition.active === 0 ? [] : [countAction(shard, transition.active)]),
        ...(transition.to && transition.tree ? [treePut(session, transition.to.generation, transition.tree)] : []),
        ...(transition.joined ?? []),
      ]);
      return refused === null;
    },

    async setSettings(record, settings, now, anchor) {
      const session = { user: record.user_id, id: record.id };
      const refused = await table.transact([
        settingsAction(record, settings, now),
        ...(Object.keys(anchor.set).length > 0
          ? [anchorAction(session, anchor, shardOf(session.user, session.id))]
          : []),
      ]);
      return refused === null;
    },

    async giveTitle(record, title, of, now) {
      const refused = await table.transact(titleActions(record, title, of, now));
      return refused === null;
    },

    async nextGeneration({ user, id }, live, dueAt) {
      const outcome = await table.update({
        Key: anchorKey(user, id),
        UpdateExpression: "SET cleanup = :true, due_at = :due, due_shard = :shard ADD generation :one",
        ConditionExpression: "live_generation = :live AND #state <> :deleted",
        ExpressionAttributeNames: { "#state": "state" },
        ExpressionAttributeValues: {
          ":live": live,
          ":true": true,
          ":due": dueAt,
          ":shard": shardOf(user, id),
          ":one": 1,
          ":deleted": "deleted",
        },
        ReturnValues: "ALL_OLD",
      });
      if (!outcome.done || !outcome.item) return null;
      const { generation, ...anchor } = fromAnchorItem(outcome.item);
      return { ...anchor, generation: generation + 1 };
    },

    async schedule({ user, id }, dueAt, { generation, tree_version = 0 }) {
      const sameTree = hasTree(tree_version);
      await table.update({
        Key: anchorKey(user, id),
        UpdateExpression: "SET cleanup = :false, due_at = :due, due_shard = :shard",
        ConditionExpression: `generation = :newest AND #state <> :deleted AND ${sameTree.condition}`,
        ExpressionAttributeNames: { "#state": "state" },
        ExpressionAttributeValues: {
          ":false": false,
          ":due": dueAt,
          ":shard": shardOf(user, id),
          ":newest": generation,
          ...sameTree.values,
          ":deleted": "deleted",
        },
      });
    },

    async findTombstone({ user, id }, generation) {
      const item = await table.get(tombstoneKey(user, id, generation));
      return item && fromTombstoneItem(item);
    },

    async markPurged({ user_id, id, generation }, dueAt) {
      const { ConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues } = isTombstoneOf(generation);
      const mark = (Key: Key) =>
        table.update({
          Key,
          UpdateExpression: "SET purged = :true, due_at = :due, due_shard = :shard REMOVE title, title_of, metadata",
          ConditionExpression,
          ExpressionAttributeNames,
          ExpressionAttributeValues: {
            ...ExpressionAttributeValues,
            ":true": true,
            ":due": dueAt,
            ":shard": shardOf(user_id, id),
          },
        });
      const { done } = await mark(anchorKey(user_id, id));
      // The tombstone may have moved during the purge.
      if (!done) await mark(tombstoneKey(user_id, id, generation));
    },

    async removeTombstone({ user_id, id, generation, moved }) {
      const Key = moved ? tombstoneKey(user_id, id, generation) : anchorKey(user_id, id);
      await table.transact([{ Delete: { Key, ...isTombstoneOf(generation) } }]);
    },

    list: (user, query) => listSessions(table, user, query),

    async *due(by) {
      for await (const items of watched(table, { by })) {
        yield items.map(({ pk, sk, due_at }) => ({
          ...parseSessionKey(String(pk)),
          ...parseTombstoneKey(String(sk)),
          due_at: String(due_at),
        }));
      }
    },

    async *all(user) {
      for await (const items of watched(table, user === undefined ? {} : { user })) {
        yield items.filter(({ sk }) => sk === ANCHOR).map(({ pk }) => parseSessionKey(String(pk)));
      }
    },

    async findMany(sessions) {
      const items = await table.batchGet(sessions.map(({ user, id }) => headerKey(user, id)));
      return items.map(fromHeaderItem);
    },

    async countActive() {
      const { items } = await table.query({
        KeyConditionExpression: "pk = :pk",
        ExpressionAttributeValues: { ":pk": counterPartition },
      });
      return items.reduce((sum, item) => sum + Number(item.n), 0);
    },
  };
}

/** Reads anchors and tombstones in the order in which they are due, up to `by` (ISO 8601) if it is given. */
async function* watched(table: Table, { by, user }: { by?: string; user?: string }): AsyncIterable<Item[]> {
  const pagesOf = (shard: string) =>
    table.pages({
      IndexName: SESSIONS_DUE,
      KeyConditionExpression: by ? "due_shard = :shard AND due_at <= :by" : "due_shard = :shard",
      ...(user === undefined ? {} : { FilterExpression: "begins_with(pk, :sessions)" }),
      ExpressionAttributeValues: {
        ":shard": shard,
        ...(by ? { ":by": by } : {}),
        ...(user === undefined ? {} : { ":sessions": sessionKey(user, "") }),
      },
    });
  // Read the first pages of all shards in parallel, because usually nothing is due.
  for (const pages of await Promise.all(shards.map((shard) => withFirstPage(pagesOf(shard))))) {
    for await (const { items } of pages) if (items.length > 0) yield items;
  }
}
