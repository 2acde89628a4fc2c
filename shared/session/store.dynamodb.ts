import { toSeconds } from "../clock.ts";
import {
  anchorKey,
  counterKey,
  counterPartition,
  HEADER,
  headerKey,
  parseSessionKey,
  shardOf,
  shards,
} from "../dynamodb/keys.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { SESSIONS_BY_ACTIVITY, SESSIONS_DUE } from "../dynamodb/tables.ts";
import { fromAnchorItem, fromHeaderItem, toAnchorItem, toHeaderItem } from "./items.dynamodb.ts";
import type { SessionId, SessionRecord } from "./session.ts";
import type { ListQuery, SessionStore, Transition } from "./store.ts";

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

    async create(record, anchor) {
      const shard = shardOf(record.user_id, record.id);
      const refused = await table.transact([
        { Put: { Item: toHeaderItem(record), ConditionExpression: "attribute_not_exists(pk)" } },
        {
          Put: {
            Item: toAnchorItem(anchor, shard),
            ConditionExpression: "attribute_not_exists(pk) OR purged = :true",
            ExpressionAttributeValues: { ":true": true },
          },
        },
        count(shard, 1),
      ]);
      return refused === null;
    },

    async transit(session, transition) {
      const shard = shardOf(session.user, session.id);
      const refused = await table.transact([
        headerAction(session, transition),
        ...(transition.anchor ? [anchorAction(session, transition.anchor, shard)] : []),
        ...(transition.active === 0 ? [] : [count(shard, transition.active)]),
      ]);
      return refused === null;
    },

    async nextGeneration({ user, id }, dueAt) {
      const outcome = await table.update({
        Key: anchorKey(user, id),
        UpdateExpression: "SET cleanup = :true, due_at = :due, due_shard = :shard ADD generation :one",
        ConditionExpression: "attribute_exists(pk) AND #state <> :deleted",
        ExpressionAttributeNames: { "#state": "state" },
        ExpressionAttributeValues: {
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

    async markPurged({ user, id }, dueAt) {
      await table.update({
        Key: anchorKey(user, id),
        UpdateExpression: "SET purged = :true, due_at = :due, due_shard = :shard REMOVE title, metadata",
        ConditionExpression: "#state = :deleted",
        ExpressionAttributeNames: { "#state": "state" },
        ExpressionAttributeValues: { ":true": true, ":due": dueAt, ":shard": shardOf(user, id), ":deleted": "deleted" },
      });
    },

    async forget({ user, id }) {
      await table.transact([
        {
          Delete: {
            Key: anchorKey(user, id),
            ConditionExpression: "#state = :deleted OR #state = :archived",
            ExpressionAttributeNames: { "#state": "state" },
            ExpressionAttributeValues: { ":deleted": "deleted", ":archived": "archived" },
          },
        },
        { ConditionCheck: { Key: headerKey(user, id), ConditionExpression: "attribute_not_exists(pk)" } },
      ]);
    },

    list: (user, query) => list(table, user, query),

    async *due(by) {
      const page = (shard: string, ExclusiveStartKey?: Item) =>
        table.query({
          IndexName: SESSIONS_DUE,
          KeyConditionExpression: by ? "due_shard = :shard AND due_at <= :by" : "due_shard = :shard",
          ExpressionAttributeValues: { ":shard": shard, ...(by ? { ":by": by } : {}) },
          ExclusiveStartKey,
        });
      // Mostly nothing is due anywhere: that is told in one round trip.
      const firsts = await Promise.all(shards.map((shard) => page(shard)));
      for (const [n, first] of firsts.entries()) {
        for (let { items, lastKey } = first; ; { items, lastKey } = await page(shards[n] ?? "", lastKey)) {
          if (items.length > 0) yield items.map(({ pk }) => parseSessionKey(String(pk)));
          if (!lastKey) break;
        }
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

const count = (shard: string, by: number) => ({
  Update: { Key: counterKey(shard), UpdateExpression: "ADD n :by", ExpressionAttributeValues: { ":by": by } },
});

function headerAction({ user, id }: SessionId, { from, to }: Transition) {
  const condition = from
    ? {
        ConditionExpression: "version = :version AND #status = :status",
        ExpressionAttributeNames: { "#status": "status" },
        ExpressionAttributeValues: { ":version": from.version, ":status": from.status },
      }
    : { ConditionExpression: "attribute_not_exists(pk)" };
  if (to) return { Put: { Item: toHeaderItem(to), ...condition } };
  if (from) return { Delete: { Key: headerKey(user, id), ...condition } };
  return { ConditionCheck: { Key: headerKey(user, id), ...condition } };
}

function anchorAction({ user, id }: SessionId, { expect, set }: NonNullable<Transition["anchor"]>, shard: string) {
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
        .join(", ")}`,
      ConditionExpression: conditions.join(" AND "),
      ExpressionAttributeNames: {
        "#state": "state",
        ...Object.fromEntries(Object.keys(values).map((name) => [`#${name}`, name])),
      },
      ExpressionAttributeValues: {
        ":gone": "deleted",
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
