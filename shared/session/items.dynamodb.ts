import { anchorKey, headerKey, messageIdKey, messageKey } from "../dynamodb/keys.ts";
import type { Item } from "../dynamodb/table.ts";
import { type MessageRecord, positionOf } from "./message.ts";
import type { Anchor, SessionId, SessionRecord } from "./session.ts";

// Free-form JSON is kept as text: DynamoDB's own maps nest 32 levels at most and its numbers end at 1e125.
const toJson = (value: unknown): string => JSON.stringify(value);
const fromJson = <T>(text: unknown, absent: T): T => (typeof text === "string" ? (JSON.parse(text) as T) : absent);

export function toHeaderItem(record: SessionRecord): Item {
  const { user_id, expires_at, metadata, archive, ...rest } = record;
  return {
    ...headerKey(user_id, record.id),
    owner: user_id,
    ...rest,
    metadata: toJson(metadata),
    ...(archive ? { archive: toJson(archive) } : {}),
    ...(expires_at === null ? {} : { expires_at }),
  };
}

export function fromHeaderItem(item: Item): SessionRecord {
  const { pk: _pk, sk: _sk, owner, metadata, archive, expires_at, title, ...rest } = item;
  return {
    ...(rest as unknown as SessionRecord),
    title: (title as string | null | undefined) ?? null,
    user_id: String(owner),
    metadata: fromJson<Record<string, unknown>>(metadata, {}),
    expires_at: typeof expires_at === "number" ? expires_at : null,
    ...(typeof archive === "string" ? { archive: JSON.parse(archive) } : {}),
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

export function toMessageItem({ user, id }: SessionId, generation: number, message: MessageRecord): Item {
  const { metadata, ...rest } = message;
  return {
    ...messageKey(user, id, generation, positionOf(message)),
    ...rest,
    ...(metadata === undefined ? {} : { metadata: toJson(metadata) }),
  };
}

export function fromMessageItem(item: Item): MessageRecord {
  const { pk: _pk, sk: _sk, metadata, ...rest } = item;
  return {
    ...(rest as unknown as MessageRecord),
    ...(metadata === undefined ? {} : { metadata: fromJson(metadata, {}) }),
  };
}

/** The item that keeps a client's message id unique; it names the message's sort key. */
export function toMessageIdItem({ user, id }: SessionId, generation: number, message: MessageRecord): Item {
  return {
    ...messageIdKey(user, id, generation, message.id),
    message: messageKey(user, id, generation, positionOf(message)).sk,
  };
}
