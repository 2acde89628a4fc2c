import { unmarshall } from "@aws-sdk/util-dynamodb";
import { toSeconds } from "../clock.ts";
import {
  anchorKey,
  headerKey,
  messageIdKey,
  messageKey,
  parseMessageKey,
  TREE_PREFIX,
  tombstoneKey,
  treeKey,
} from "../dynamodb/keys.ts";
import type { Item, TransactionAction } from "../dynamodb/table.ts";
import { parseStored } from "../parse-stored.ts";
import { type MessageRecord, positionOf, type ShownMessage } from "./message.ts";
import { type MessagePart, textOf } from "./parts.ts";
import type { Anchor, RunningTurn, SessionId, SessionRecord, Tombstone } from "./session.ts";
import { LINEAR, type Place, type Tree } from "./tree.ts";

// JSON of clients is stored as text, because DynamoDB's maps have at most 32 levels and its numbers end at 1e125.
const toJson = (value: unknown): string => JSON.stringify(value);
const fromJson = <T>(text: unknown, absent: T): T =>
  typeof text === "string" ? parseStored<T>(text, "a part of a session") : absent;

/** The prefix of the header's attributes for running turns. */
export const TURN_PREFIX = "turn_";

/**
 * The status of a header as it is stored. Incognito sessions have a status of their own, so that the index `sessions_by_activity` shows it
 * in lists: DynamoDB cannot add another attribute to an existing index.
 */
export function storedStatus({ status, incognito }: Pick<SessionRecord, "status" | "incognito">): string {
  return incognito ? INCOGNITO : status;
}

export const INCOGNITO = "incognito";

export function toHeaderItem(record: SessionRecord): Item {
  const { user_id, expires_at, metadata, archive, turns, status: _status, incognito: _incognito, ...rest } = record;
  return {
    ...headerKey(user_id, record.id),
    owner: user_id,
    ...rest,
    status: storedStatus(record),
    metadata: toJson(metadata),
    ...(archive ? { archive: toJson(archive) } : {}),
    ...(expires_at === null ? {} : { expires_at }),
    ...Object.fromEntries(
      Object.entries(turns ?? {}).map(([answer, turn]) => [TURN_PREFIX + answer, toTurnMark(turn)]),
    ),
  };
}

/** A running turn as an attribute of the header. */
export function toTurnMark({ until, branch }: RunningTurn): unknown {
  return branch === 0 ? until : [until, branch];
}

function fromTurnMark(mark: unknown): RunningTurn {
  const [until = 0, branch = 0] = Array.isArray(mark) ? mark.map(Number) : [Number(mark)];
  return { until, branch };
}

/** Reads the header or stub in the image of a stream record. */
export function fromHeaderImage(image: Parameters<typeof unmarshall>[0]): SessionRecord {
  return fromHeaderItem(unmarshall(image));
}

export function fromHeaderItem(item: Item): SessionRecord {
  const { pk: _pk, sk: _sk, owner, metadata, archive, expires_at, title, ...others } = item;
  const turns = Object.entries(others).filter(([name]) => name.startsWith(TURN_PREFIX));
  const rest = Object.fromEntries(Object.entries(others).filter(([name]) => !name.startsWith(TURN_PREFIX)));
  return {
    ...(rest as unknown as SessionRecord),
    ...(rest.status === INCOGNITO ? { status: "active", incognito: true } : {}),
    title: (title as string | null | undefined) ?? null,
    user_id: String(owner),
    metadata: fromJson<Record<string, unknown>>(metadata, {}),
    expires_at: typeof expires_at === "number" ? expires_at : null,
    ...(typeof archive === "string" ? { archive: JSON.parse(archive) } : {}),
    ...(turns.length > 0
      ? { turns: Object.fromEntries(turns.map(([name, mark]) => [name.slice(TURN_PREFIX.length), fromTurnMark(mark)])) }
      : {}),
  };
}

export function toAnchorItem(anchor: Anchor, shard: string): Item {
  const { due_at, metadata, ...rest } = anchor;
  return {
    ...anchorKey(anchor.user_id, anchor.id),
    ...rest,
    metadata: toJson(metadata),
    ...(due_at === undefined ? {} : { due_at, due_shard: shard }),
  };
}

export function fromAnchorItem(item: Item): Anchor {
  const { pk: _pk, sk: _sk, due_shard: _shard, metadata, title, ...rest } = item;
  return {
    ...(rest as unknown as Anchor),
    title: (title as string | null | undefined) ?? null,
    metadata: fromJson<Record<string, unknown>>(metadata, {}),
  };
}

/** A tombstone under its own key. It has no content, and the reconciler checks it soon unless it was purged before. */
export function toTombstoneItem(
  { user_id, id, created_at, generation, purged, due_at }: Tombstone & Pick<Anchor, "due_at">,
  shard: string,
): Item {
  return {
    ...tombstoneKey(user_id, id, generation),
    user_id,
    id,
    state: "deleted",
    created_at,
    generation,
    ...(purged ? { purged } : {}),
    due_at,
    due_shard: shard,
  };
}

export function fromTombstoneItem({ user_id, id, created_at, generation, purged }: Item): Tombstone {
  return {
    user_id: String(user_id),
    id: String(id),
    created_at: String(created_at),
    generation: Number(generation),
    purged: purged === true,
    moved: true,
  };
}

/** The condition that a header still has the generation, lifetime and branch that were read, and is unexpired. Other writes may come between. */
export function isUnchanged(record: SessionRecord, now: number) {
  return {
    ConditionExpression:
      "#status = :active AND generation = :generation AND ttl_seconds = :ttl AND pinned = :pinned" +
      " AND (attribute_not_exists(expires_at) OR expires_at > :now)" +
      ` AND ${record.branch === undefined ? "attribute_not_exists(branch)" : "branch = :branch"}`,
    ExpressionAttributeNames: { "#status": "status" },
    ExpressionAttributeValues: {
      ":active": storedStatus(record),
      ":generation": record.generation,
      ":ttl": record.ttl_seconds,
      ":pinned": record.pinned,
      ":now": toSeconds(now),
      ...(record.branch === undefined ? {} : { ":branch": record.branch }),
    },
  };
}

/**
 * Makes the item of a message. It is small, because every turn reads a context window and DynamoDB bills reads by the byte: it omits the
 * values that the key contains, has `usage` as an array of numbers, and `content` only if there are no parts.
 */
export function toMessageItem({ user, id }: SessionId, generation: number, message: MessageRecord): Item {
  const { metadata, usage, status, id: messageId, content, parts, branch, memory_ids, ...others } = message;
  const { created_at: _at, order: _order, parent_id: _parent, ...rest } = others as Partial<ShownMessage>;
  return {
    ...messageKey(user, id, generation, positionOf(message)),
    ...rest,
    ...(parts ? { parts: toJson(parts) } : { content }),
    ...(branch ? { branch } : {}),
    ...(message.keyed ? { id: messageId } : {}),
    ...(status === undefined || (status === ANSWERED && usage) ? {} : { status }),
    ...(usage ? { usage: toUsageItem(usage) } : {}),
    ...(memory_ids ? { memory_ids: packIds(memory_ids) } : {}),
    ...(metadata === undefined ? {} : { metadata: toJson(metadata) }),
  };
}

export function fromMessageItem(item: Item): MessageRecord {
  const { pk: _pk, sk, metadata, usage, parts: partsText, memory_ids, ...rest } = item;
  const parts = fromJson<MessagePart[] | undefined>(partsText, undefined);
  const [created_at = "", order = ""] = parseMessageKey(String(sk)).position.split("#");
  return {
    id: order,
    ...(rest as unknown as Omit<MessageRecord, "id" | "created_at">),
    ...(parts ? { content: textOf(parts), parts } : {}),
    created_at,
    ...(item.keyed ? { order } : {}),
    ...(usage ? { usage: fromUsageItem(usage as (number | null)[]) } : {}),
    ...(usage && item.status === undefined ? { status: ANSWERED } : {}),
    ...(memory_ids ? { memory_ids: unpackIds(String(memory_ids)) } : {}),
    ...(metadata === undefined ? {} : { metadata: fromJson(metadata, {}) }),
  };
}

/** Bytes of a UUID. */
const UUID_BYTES = 16;

/** Stores UUIDs in 22 characters each instead of 36. */
const packIds = (ids: readonly string[]): string =>
  Buffer.from(ids.join("").replaceAll("-", ""), "hex").toString("base64url");

const unpackIds = (text: string): string[] => {
  const bytes = Buffer.from(text, "base64url");
  return Array.from({ length: bytes.length / UUID_BYTES }, (_, n) =>
    bytes.toString("hex", n * UUID_BYTES, (n + 1) * UUID_BYTES).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"),
  );
};

type Usage = NonNullable<MessageRecord["usage"]>;

const toUsageItem = ({ input_tokens, output_tokens, cost_usd, cached_input_tokens: cached }: Usage) =>
  cached === undefined
    ? [input_tokens, output_tokens, cost_usd]
    : [input_tokens, output_tokens, cost_usd ?? null, cached];

const fromUsageItem = ([input_tokens, output_tokens, cost_usd, cached]: (number | null)[]): Usage => ({
  input_tokens: input_tokens ?? 0,
  output_tokens: output_tokens ?? 0,
  ...(typeof cached === "number" ? { cached_input_tokens: cached } : {}),
  ...(typeof cost_usd === "number" ? { cost_usd } : {}),
});

/** The usual status of an answer with usage. It is not stored. */
const ANSWERED = "complete";

/** The item that keeps a client's message id unique. It contains the message's sort key. */
export function toMessageIdItem({ user, id }: SessionId, generation: number, message: MessageRecord): Item {
  return {
    ...messageIdKey(user, id, generation, message.id),
    message: messageKey(user, id, generation, positionOf(message)).sk,
  };
}

/** The write of a tree. A transaction with it also has to change the anchor: see `TREE_CHANGES`. */
export function treePut({ user, id }: SessionId, generation: number, tree: Tree) {
  return { Put: { Item: { ...treeKey(user, id, generation), tree: toJson(tree) } } };
}

/** The clause in an update of the anchor that counts a change of the tree. */
export const TREE_CHANGES = "ADD tree_version :one";

/** The writes of a tree, for a transaction that does not change the anchor otherwise. */
export function treeActions(session: SessionId, generation: number, tree: Tree): TransactionAction[] {
  const Update = {
    Key: anchorKey(session.user, session.id),
    UpdateExpression: TREE_CHANGES,
    ConditionExpression: "attribute_exists(pk)",
    ExpressionAttributeValues: { ":one": 1 },
  };
  return [treePut(session, generation, tree), { Update }];
}

export function isTree({ sk }: Item): boolean {
  return String(sk).startsWith(TREE_PREFIX);
}

export function fromTreeItem(item: Item | null | undefined): Tree {
  return fromJson(item?.tree, LINEAR);
}

/**
 * The change of the header's head when messages are stored whose last one is `last`. With `fork`, the tree's new branch becomes the current
 * one and ends with `last`. Without `fork`, the head moves only forward: of concurrent requests, the one with the later message wins.
 */
export function headChange(record: SessionRecord, last: Place | undefined, fork?: Tree) {
  const values = { ":head_id": last?.id, ":head_at": last?.position };
  const sets = ["head_id = :head_id", "head_at = :head_at"];
  if (last && fork) {
    return { sets: [...sets, "branch = :fork"], conditions: [], values: { ...values, ":fork": fork.current } };
  }
  // Earlier versions stored no head. Then assume that the last message is as old as the last write.
  const head = record.head_at ?? (record.message_count > 0 ? record.updated_at : "");
  if (!last || last.branch !== (record.branch ?? 0) || last.position <= head) {
    return { sets: [], conditions: [], values: {} };
  }
  return { sets, conditions: ["(attribute_not_exists(head_at) OR head_at < :head_at)"], values };
}
