import { toInstant, toSeconds } from "../clock.ts";
import {
  ANCHOR,
  anchorKey,
  counterKey,
  counterPartition,
  HEADER,
  headerKey,
  type Key,
  parseSessionKey,
  parseTombstoneKey,
  shardOf,
  shards,
  tombstoneKey,
} from "../dynamodb/keys.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { SESSIONS_BY_ACTIVITY, SESSIONS_DUE } from "../dynamodb/tables.ts";
import { withFirstPage } from "../prefetch.ts";
import {
  fromAnchorItem,
  fromHeaderItem,
  fromTombstoneItem,
  isUnchanged,
  TREE_CHANGES,
  toAnchorItem,
  toHeaderItem,
  toTombstoneItem,
  treePut,
} from "./items.dynamodb.ts";
import type { SessionId, SessionRecord } from "./session.ts";
import type { ListQuery, SessionStore, Settings, Transition } from "./store.ts";
import type { Tree } from "./tree.ts";

/** Index entries that a filtered list reads at a time once the first page did not fill up. */
const FILTERED_PAGE = 500;

/** Sessions in the table `conversations`. */
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
        count(shard, 1),
      ]);
      return refused === null;
    },

    async transit(session, transition) {
      const shard = shardOf(session.user, session.id);
      const refused = await table.transact([
        headerAction(session, transition),
        ...(transition.anchor ? [anchorAction(session, transition.anchor, shard, transition.tree)] : []),
        ...(transition.active === 0 ? [] : [count(shard, transition.active)]),
        ...(transition.to && transition.tree ? [treePut(session, transition.to.generation, transition.tree)] : []),
        ...(transition.joined ?? []),
      ]);
      return refused === null;
    },

    async setSettings(record, settings, now, anchor) {
      const session = { user: record.user_id, id: record.id };
      const refused = await table.transact([
        settingsAction(record, settings, now),
        anchorAction(session, anchor, shardOf(session.user, session.id)),
      ]);
      return refused === null;
    },

    async giveTitle(record, title, of, now) {
      const unchanged = isUnchanged(record, now);
      const untitled = "(attribute_not_exists(title) OR attribute_type(title, :null))";
      const refused = await table.transact([
        {
          Update: {
            Key: headerKey(record.user_id, record.id),
            UpdateExpression: "SET title = :title, title_of = :of ADD version :one",
            ConditionExpression: `${unchanged.ConditionExpression} AND ${untitled}`,
            ExpressionAttributeNames: unchanged.ExpressionAttributeNames,
            ExpressionAttributeValues: {
              ...unchanged.ExpressionAttributeValues,
              ":title": title,
              ":of": of,
              ":one": 1,
              ":null": "NULL",
            },
          },
        },
        {
          Update: {
            Key: anchorKey(record.user_id, record.id),
            UpdateExpression: "SET title = :title, title_of = :of",
            ConditionExpression: `live_generation = :live AND ${untitled}`,
            ExpressionAttributeValues: { ":title": title, ":of": of, ":live": record.generation, ":null": "NULL" },
          },
        },
      ]);
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
        ReturnValues: "UPDATED_OLD",
      });
      if (!outcome.done) return null;
      return { generation: Number(outcome.item?.generation) + 1, cleanup: outcome.item?.cleanup === true };
    },

    async schedule({ user, id }, dueAt, newest) {
      await table.update({
        Key: anchorKey(user, id),
        UpdateExpression: "SET cleanup = :false, due_at = :due, due_shard = :shard",
        ConditionExpression: "generation = :newest AND #state <> :deleted",
        ExpressionAttributeNames: { "#state": "state" },
        ExpressionAttributeValues: {
          ":false": false,
          ":due": dueAt,
          ":shard": shardOf(user, id),
          ":newest": newest,
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
      // It may have moved while it was being purged.
      if (!done) await mark(tombstoneKey(user_id, id, generation));
    },

    async removeTombstone({ user_id, id, generation, moved }) {
      const Key = moved ? tombstoneKey(user_id, id, generation) : anchorKey(user_id, id);
      await table.transact([{ Delete: { Key, ...isTombstoneOf(generation) } }]);
    },

    list: (user, query) => list(table, user, query),

    async *due(by) {
      for await (const items of watched(table, by)) {
        yield items.map(({ pk, sk, due_at }) => ({
          ...parseSessionKey(String(pk)),
          ...parseTombstoneKey(String(sk)),
          due_at: String(due_at),
        }));
      }
    },

    async *all() {
      for await (const items of watched(table)) {
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

/** Anchors and tombstones by when they are due, up to `by` (ISO 8601) when it is there. */
async function* watched(table: Table, by?: string): AsyncIterable<Item[]> {
  const pagesOf = (shard: string) =>
    table.pages({
      IndexName: SESSIONS_DUE,
      KeyConditionExpression: by ? "due_shard = :shard AND due_at <= :by" : "due_shard = :shard",
      ExpressionAttributeValues: { ":shard": shard, ...(by ? { ":by": by } : {}) },
    });
  // Usually nothing is due: one round trip shows that for all shards.
  for (const pages of await Promise.all(shards.map((shard) => withFirstPage(pagesOf(shard))))) {
    for await (const { items } of pages) if (items.length > 0) yield items;
  }
}

/** That an item is the tombstone of the session whose last generation this was. */
const isTombstoneOf = (generation: number) => ({
  ConditionExpression: "#state = :deleted AND generation = :generation",
  ExpressionAttributeNames: { "#state": "state" },
  ExpressionAttributeValues: { ":deleted": "deleted", ":generation": generation },
});

const count = (shard: string, by: number) => ({
  Update: { Key: counterKey(shard), UpdateExpression: "ADD n :by", ExpressionAttributeValues: { ":by": by } },
});

function headerAction({ user, id }: SessionId, { from, to }: Transition) {
  const condition = from
    ? {
        ConditionExpression: "generation = :generation AND version = :version AND #status = :status",
        ExpressionAttributeNames: { "#status": "status" },
        ExpressionAttributeValues: {
          ":generation": from.generation,
          ":version": from.version,
          ":status": from.status,
        },
      }
    : { ConditionExpression: "attribute_not_exists(pk)" };
  if (to) return { Put: { Item: toHeaderItem(to), ...condition } };
  if (from) return { Delete: { Key: headerKey(user, id), ...condition } };
  return { ConditionCheck: { Key: headerKey(user, id), ...condition } };
}

/** Sets the settings that are there; the session must still be hot, with the lifetime that was read. */
function settingsAction(record: SessionRecord, { expires_at, metadata, ...patch }: Partial<Settings>, now: number) {
  const unchanged = isUnchanged(record, now);
  const values: Item = {
    ...patch,
    ...(metadata === undefined ? {} : { metadata: JSON.stringify(metadata) }),
    ...(expires_at === null ? {} : { expires_at }),
    updated_at: toInstant(now),
  };
  const names = Object.keys(values);
  return {
    Update: {
      Key: headerKey(record.user_id, record.id),
      UpdateExpression:
        `SET ${names.map((name) => `#${name} = :new_${name}`).join(", ")}` +
        `${expires_at === null ? " REMOVE expires_at" : ""} ADD version :one`,
      ConditionExpression: unchanged.ConditionExpression,
      ExpressionAttributeNames: {
        ...unchanged.ExpressionAttributeNames,
        ...Object.fromEntries(names.map((name) => [`#${name}`, name])),
      },
      ExpressionAttributeValues: {
        ...unchanged.ExpressionAttributeValues,
        ":one": 1,
        ...Object.fromEntries(names.map((name) => [`:new_${name}`, values[name]])),
      },
    },
  };
}

function anchorAction(
  { user, id }: SessionId,
  { expect, set }: NonNullable<Transition["anchor"]>,
  shard: string,
  tree?: Tree,
) {
  const { metadata, ...rest } = set;
  const values = {
    ...rest,
    ...(metadata === undefined ? {} : { metadata: JSON.stringify(metadata) }),
    ...(rest.due_at === undefined ? {} : { due_shard: shard }),
  };
  const conditions = ["attribute_exists(pk)", "#state <> :gone"];
  if (expect.newest !== undefined) conditions.push("generation = :newest");
  if (expect.live !== undefined) conditions.push("live_generation = :live");
  return {
    Update: {
      Key: anchorKey(user, id),
      UpdateExpression: `SET ${Object.keys(values)
        .map((name) => `#${name} = :${name}`)
        .join(", ")}${tree ? ` ${TREE_CHANGES}` : ""}`,
      ConditionExpression: conditions.join(" AND "),
      ExpressionAttributeNames: {
        "#state": "state",
        ...Object.fromEntries(Object.keys(values).map((name) => [`#${name}`, name])),
      },
      ExpressionAttributeValues: {
        ":gone": "deleted",
        ...(tree ? { ":one": 1 } : {}),
        ...(expect.newest === undefined ? {} : { ":newest": expect.newest }),
        ...(expect.live === undefined ? {} : { ":live": expect.live }),
        ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`:${name}`, value])),
      },
    },
  };
}

async function list(
  table: Table,
  user: string,
  query: ListQuery,
): Promise<{ records: SessionRecord[]; more: boolean }> {
  const records: SessionRecord[] = [];
  let startKey: Item | undefined = query.after && {
    ...headerKey(user, query.after.id),
    owner: user,
    updated_at: query.after.updated_at,
  };
  let size = query.limit + 1;
  do {
    const page = await table.query({ ...listParameters(user, query), Limit: size, ExclusiveStartKey: startKey });
    records.push(...page.items.map((item) => fromHeaderItem({ ...item, sk: HEADER })));
    startKey = page.lastKey;
    size = FILTERED_PAGE;
  } while (records.length <= query.limit && startKey);
  return { records: records.slice(0, query.limit), more: records.length > query.limit };
}

/** What separates the states of a session at an instant, as an expression on the index. */
const FILTERS = {
  active: "#status = :active AND (attribute_not_exists(expires_at) OR expires_at > :now)",
  archived: "(#status = :active AND expires_at <= :now) OR (#status <> :active AND expires_at > :now)",
  all: "#status = :active OR expires_at > :now",
} as const;

function listParameters(user: string, { status, order, from, to, now }: ListQuery) {
  const conditions = ["#owner = :owner"];
  // `to` is exclusive and BETWEEN is not: times have milliseconds, so the last one before `to` is known.
  const last = to && new Date(Date.parse(to) - 1).toISOString();
  if (from && last) conditions.push("updated_at BETWEEN :from AND :last");
  else if (from) conditions.push("updated_at >= :from");
  else if (last) conditions.push("updated_at <= :last");
  return {
    IndexName: SESSIONS_BY_ACTIVITY,
    KeyConditionExpression: conditions.join(" AND "),
    FilterExpression: FILTERS[status],
    ExpressionAttributeNames: { "#owner": "owner", "#status": "status" },
    ExpressionAttributeValues: {
      ":owner": user,
      ":active": "active",
      ":now": toSeconds(now),
      ...(from ? { ":from": from } : {}),
      ...(last ? { ":last": last } : {}),
    },
    ScanIndexForward: order === "asc",
  };
}
