import { toInstant } from "../clock.ts";
import { sha256 } from "../hash.ts";
import { bodyOf } from "./parts.ts";
import type { Resolved } from "./resolve-files.ts";
import type { Message, MessageInput } from "./schema.ts";
import type { RequestIdentity } from "./session.ts";

/** Maximum bytes of messages in one page of a list, because a Lambda function answers with 6 MB at most. */
export const MAX_PAGE_BYTES = 5_000_000;

/** Approximate bytes of a message in an answer. A function returns JSON within JSON, so quotes are escaped twice. */
export function sizeInAnswer(message: MessageRecord): number {
  return Buffer.byteLength(JSON.stringify(JSON.stringify(message))) + 200;
}

/** Collects the messages of one page: at most `limit`, in `MAX_PAGE_BYTES`, and at least one. */
export function createPage(limit: number): { messages: MessageRecord[]; add(message: MessageRecord): boolean } {
  const messages: MessageRecord[] = [];
  let bytes = 0;
  return {
    messages,
    /** Returns false, and adds nothing, when the page is full. */
    add(message) {
      bytes += sizeInAnswer(message);
      if (messages.length === limit || (messages.length > 0 && bytes > MAX_PAGE_BYTES)) return false;
      messages.push(message);
      return true;
    },
  };
}

/** Returns the first messages that fit one page. */
export function fitting(messages: readonly MessageRecord[], limit: number): MessageRecord[] {
  const page = createPage(limit);
  messages.every(page.add);
  return page.messages;
}

/** Approximate bytes of a message in the store: its parts or content, its metadata, and an upper bound for the rest. */
export function sizeOf({ content, parts, metadata }: MessageRecord): number {
  return (
    Buffer.byteLength(parts ? JSON.stringify(parts) : content) +
    (metadata ? Buffer.byteLength(JSON.stringify(metadata)) : 0) +
    400
  );
}

/** A message as hot sessions and archives store it. */
export interface MessageRecord extends Omit<Message, "session_id" | "parent_id"> {
  /** Absent = 0. */
  branch?: number;
  /** The client chose the id, so the store keeps it unique. */
  keyed?: boolean;
  /** The client's own id of this message. It is not unique: messages of several branches may have the same. */
  client_id?: string;
  /** Orders messages with the same `created_at` by their arrival. It is the id, unless the client chose the id. */
  order?: string;
}

/** The position of a message in its session. Positions sort in the order of the messages. */
export function positionOf(message: Pick<MessageRecord, "id" | "order" | "created_at">): string {
  return `${message.created_at}#${message.order ?? message.id}`;
}

/** The form of a position. */
export const POSITION = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z#[0-9a-f-]{36}$/;

/** A message with the id of the message that it follows. Archive lines store `parent_id`; for hot messages it is computed. */
export interface ShownMessage extends MessageRecord {
  parent_id: string | null;
}

/** The message as the API shows it. */
export function toMessage(message: ShownMessage, session_id: string): Message {
  const { id, parent_id, role, name, content, parts, created_at, metadata, model, usage } = message;
  const { status, finish_reason, latency_ms, memory_ids } = message;
  return withoutUndefined({
    id,
    session_id,
    parent_id,
    role,
    name,
    content,
    parts,
    created_at,
    metadata,
    model,
    usage,
    status,
    finish_reason,
    latency_ms,
    memory_ids,
  }) as Message;
}

/** Whether the provider failed before the end of the answer. An answer that reached its token limit is different: it has a `finish_reason`. */
export function hasBrokenOff({ status, finish_reason }: MessageRecord): boolean {
  return status === "incomplete" && finish_reason === undefined;
}

/** The messages that a request appends, with ids and times. A retry of the request gets the same ones. */
export function planMessages(inputs: readonly Resolved<MessageInput>[], request: RequestIdentity): MessageRecord[] {
  return inputs.map((input, n) => {
    const order = timeOrderedId(request, n);
    const { id, created_at, content, parts, parent_id: _parent, ...rest } = input;
    const message = {
      ...withoutUndefined(rest),
      ...bodyOf({ content, parts }),
      // An answer with usage and without a status is complete, because the store reads it so.
      ...(rest.usage && { status: rest.status ?? "complete" }),
      created_at: created_at ?? toInstant(request.at),
    };
    return id === undefined ? { ...message, id: order } : { ...message, id, order, keyed: true };
  });
}

/**
 * A UUIDv7 (RFC 9562, section 5.7) that depends only on the request and on `n`, the index in its batch: 48 bits of
 * milliseconds, `n` in `rand_a` so that a batch keeps its order, and a hash of the seed in `rand_b`.
 */
export function timeOrderedId({ seed, at }: RequestIdentity, n: number): string {
  const time = at.toString(16).padStart(12, "0");
  const place = (n & 0xfff).toString(16).padStart(3, "0");
  const hash = sha256(`${seed}#${n}`);
  const variant = ((Number.parseInt(hash.charAt(0), 16) & 0x3) | 0x8).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${place}-${variant}${hash.slice(1, 4)}-${hash.slice(4, 16)}`;
}

/** Indexes of a turn's question and answer in the batch of its request. They come after all messages of history in the request. */
export const QUESTION = 0xffe;
export const ANSWER = 0xfff;

/** Whether a message is the question of the turn with this answer: both ids have the same time and different indexes. */
export const isQuestionOf = ({ id }: MessageRecord, answer: string): boolean =>
  UUID_V7.test(id) && id.slice(0, 18) === `${answer.slice(0, 15)}${QUESTION.toString(16)}`;

export const isAnswerOf = ({ id }: MessageRecord, answer: string): boolean => id === answer;

/** The form of ids that `timeOrderedId` makes. */
export const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The position of a message whose id `timeOrderedId` made: the id contains the time of the message. */
export function madePosition(id: string): string {
  return `${toInstant(timeOf(id))}#${id}`;
}

/** The epoch milliseconds that a time-ordered id contains. */
export function timeOf(id: string): number {
  return Number.parseInt(id.slice(0, 13).replace("-", ""), 16);
}

// The store distinguishes an absent property from an undefined one, as `exactOptionalPropertyTypes` does.
export function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
