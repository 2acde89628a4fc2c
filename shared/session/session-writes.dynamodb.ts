import { toInstant } from "../clock.ts";
import { anchorKey, counterKey, headerKey } from "../dynamodb/keys.ts";
import type { Item, TransactionAction } from "../dynamodb/table.ts";
import { isUnchanged, storedStatus, TREE_CHANGES, toHeaderItem } from "./items.dynamodb.ts";
import type { SessionId, SessionRecord } from "./session.ts";
import type { Settings, Transition } from "./store.ts";
import type { Tree } from "./tree.ts";

// Parameters and conditions of the writes to the header, stub, anchor and tombstone of a session.

/** The condition that an item is the tombstone of a session whose last generation is `generation`. */
export function isTombstoneOf(generation: number) {
  return {
    ConditionExpression: "#state = :deleted AND generation = :generation",
    ExpressionAttributeNames: { "#state": "state" },
    ExpressionAttributeValues: { ":deleted": "deleted", ":generation": generation },
  };
}

/** Changes the number of active sessions. */
export function countAction(shard: string, by: number) {
  return {
    Update: { Key: counterKey(shard), UpdateExpression: "ADD n :by", ExpressionAttributeValues: { ":by": by } },
  };
}

/** Puts, deletes or checks the header, if it still has the generation, version and status that were read. */
export function headerAction({ user, id }: SessionId, { from, to }: Transition) {
  const condition = from
    ? {
        ConditionExpression: "generation = :generation AND version = :version AND #status = :status",
        ExpressionAttributeNames: { "#status": "status" },
        ExpressionAttributeValues: {
          ":generation": from.generation,
          ":version": from.version,
          ":status": storedStatus(from),
        },
      }
    : { ConditionExpression: "attribute_not_exists(pk)" };
  if (to) return { Put: { Item: toHeaderItem(to), ...condition } };
  if (from) return { Delete: { Key: headerKey(user, id), ...condition } };
  return { ConditionCheck: { Key: headerKey(user, id), ...condition } };
}

/** Gives a title to a session that has none, in its header and its anchor. */
export function titleActions(record: SessionRecord, title: string, of: string, now: number): TransactionAction[] {
  const unchanged = isUnchanged(record, now);
  const untitled = "(attribute_not_exists(title) OR attribute_type(title, :null))";
  return [
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
  ];
}

/** Sets the given settings, if the session is still hot with the lifetime that was read. */
export function settingsAction(
  record: SessionRecord,
  { expires_at, metadata, ...patch }: Partial<Settings>,
  now: number,
) {
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

/** The condition that the tree has the version that was read; 0 = the session never branched. */
export function hasTree(version: number): { condition: string; values: Item } {
  if (version === 0) return { condition: "attribute_not_exists(tree_version)", values: {} };
  return { condition: "tree_version = :tree", values: { ":tree": version } };
}

/** Sets attributes of the anchor, if the session is not deleted and its generations are the expected ones. */
export function anchorAction(
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
  const sameTree = expect.tree === undefined ? null : hasTree(expect.tree);
  if (sameTree) conditions.push(sameTree.condition);
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
        ...sameTree?.values,
        ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`:${name}`, value])),
      },
    },
  };
}
