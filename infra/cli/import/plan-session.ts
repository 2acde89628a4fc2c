import { NIL, v5 } from "uuid";
import type { z } from "zod";
import {
  createSessionSchema,
  idSchema,
  MAX_BATCH,
  type MessageInput,
  messageInputSchema,
  refuseFuture,
  type SessionCreate,
} from "../../../shared/session/schema.ts";
import { BadRecord, type Conversation, type SourceFile, type SourceMessage } from "./conversation.ts";
import { orderMessages } from "./order-messages.ts";
import { createFileTaker } from "./take-file.ts";

/**
 * Maximum number of items per batch. With the session's header they fill one DynamoDB transaction, so a batch is stored completely or
 * not at all.
 */
const MAX_BATCH_ITEMS = MAX_BATCH - 1;

/** Bytes of JSON per batch: half of the server's limit, and less than the limit of a transaction. */
const MAX_BATCH_BYTES = 2 * 1024 * 1024;

/** Characters of a title, the API's limit. A source's id is cut to the same length, so that it fits into the 4 KB of metadata. */
const MAX_TEXT = 500;

/** The requests for one conversation, as data. Each run makes the same plan from the same record. */
export interface Plan {
  session: SessionCreate & { id: string };
  messages: MessageInput[];
  /** Whether messages have ids of their own, so that the API stores none of them twice. */
  isKeyed: boolean;
  /** The files of the messages, by the ids that the API will know them by. */
  files: ReadonlyMap<string, SourceFile>;
  /** The id of the current branch's last message; absent when it is the last one that is sent. */
  head?: string;
  /** Number of branches, without the first one. */
  branches: number;
  changes: Changes;
}

export interface Changes {
  /** Messages that were older than the one before them, and got a later time. */
  moved: number;
  /** 1 when the API does not accept the source's id, so that the session has another one. */
  renamed: number;
  /** Texts that had half of a surrogate pair, which UTF-8 cannot encode, and titles and ids that were too long. */
  mended: number;
  /** Messages whose parent is not in the conversation, or follows them. */
  detached: number;
}

/**
 * Makes a conversation fit the API's rules.
 * @param leaveOut called with a description of each thing that is left out
 * @throws BadRecord naming the message and the rule that it breaks.
 */
export function planSession(
  conversation: Conversation,
  ttlSeconds: number | undefined = conversation.ttlSeconds,
  leaveOut: (what: string) => void = () => undefined,
): Plan {
  const { id, title, startedAt, pinned, incognito, metadata, messages, keepsIds = false } = conversation;
  const { order, parents, head, branches, detached } = orderMessages(conversation);
  const { times, moved } = orderTimes(messages, order, parents, startedAt);
  const newId = sessionId(id);
  const changes: Changes = { moved, renamed: newId === id ? 0 : 1, mended: 0, detached };
  const mend = createMender(changes);
  const createdAt = keepsIds ? startedAt : earliest(startedAt, times[order[0] ?? 0]);
  const isBranched = branches > 0 || head !== order.at(-1);
  const isKeyed = keepsIds || isBranched || messages.some(({ parts }) => parts?.some(({ type }) => type === "file"));
  const ids = isKeyed ? messages.map((message, index) => messageId(message.id ?? `#${index}`, newId)) : [];
  const files = new Map<string, SourceFile>();

  const planned = order.map((index): MessageInput => {
    const { id: _id, parent: _parent, at: _at, content, parts, name, ...rest } = messages[index] as SourceMessage;
    const at = times[index];
    const above = parents[index];
    const takeFile = createFileTaker(
      files,
      { seed: `${newId}\n${ids[index]}`, at: Math.max(0, at ?? createdAt ?? 0) },
      leaveOut,
    );
    return check(messageInputSchema, `messages[${index}]`, {
      ...(isKeyed && { id: ids[index] }),
      ...(isBranched && { parent_id: above === undefined ? null : ids[above] }),
      ...rest,
      ...(parts && parts.length > 0 ? { parts: mend(parts.map(takeFile)) } : { content: mend(content ?? "") }),
      ...(name && { name: mend(name) }),
      ...(at !== undefined && { created_at: new Date(at).toISOString() }),
    });
  });
  return {
    session: {
      ...check(createSessionSchema, "session", {
        ...(title !== undefined && { title: cutText(mend(title), changes) }),
        ...((newId !== id || metadata) && {
          metadata: { ...metadata, ...(newId !== id && { source_id: cutText(mend(id), changes) }) },
        }),
        ...(createdAt !== undefined && { created_at: new Date(createdAt).toISOString() }),
        ...(ttlSeconds !== undefined && { ttl_seconds: ttlSeconds }),
        ...(pinned && { pinned }),
        ...(incognito && { incognito }),
      }),
      id: newId,
    },
    messages: keepsIds ? planned : separateBatches(planned),
    isKeyed,
    files,
    ...(isBranched && head !== order.at(-1) && head !== undefined && { head: ids[head] as string }),
    branches,
    changes,
  };
}

/**
 * Checks the times before the first request, because otherwise the API would refuse a later batch of a session that is stored in part.
 * @throws BadRecord when a time is too far in the future.
 */
export function checkTimes({ session, messages }: Plan, now: number): void {
  try {
    refuseFuture(session, now);
    refuseFuture({ messages }, now);
  } catch (error) {
    throw new BadRecord((error as Error).message, { cause: error });
  }
}

/** The source's id if the API accepts it, otherwise its hash, a UUIDv5, which is the same in every run. */
export function sessionId(sourceId: string): string {
  return idSchema.safeParse(sourceId).success ? sourceId : hashOf(sourceId);
}

const NAMESPACE = v5("memocha:import", NIL);

const messageId = (sourceId: string, session: string): string =>
  idSchema.safeParse(sourceId).success ? sourceId : hashOf(`${session}\n${sourceId}`);

/** A UUIDv5. It hashes UTF-8, so halves of surrogate pairs are replaced first. */
const hashOf = (text: string): string => v5(text.toWellFormed(), NAMESPACE);

export interface Batch {
  /** Index of its first message in the session. */
  start: number;
  messages: MessageInput[];
}

/**
 * Returns the batches that are still to send when `from` messages are stored. Batches end at the same messages for every `from`, so that
 * the next run sends the same batches with the same keys.
 */
export function* batchesFrom(messages: readonly MessageInput[], from: number): Generator<Batch> {
  for (let start = 0; start < messages.length; ) {
    const end = endOfBatch(messages, start);
    const first = Math.max(start, from);
    if (first < end) yield { start: first, messages: messages.slice(first, end) };
    start = end;
  }
}

function endOfBatch(messages: readonly MessageInput[], start: number): number {
  let bytes = 0;
  // A batch that begins a branch also writes the tree.
  let items = messages[start]?.parent_id === undefined ? 0 : 1;
  let end = start;
  for (const message of messages.slice(start, start + MAX_BATCH)) {
    bytes += Buffer.byteLength(JSON.stringify(message)) + 1;
    items += countItems(message);
    if (end > start && (bytes > MAX_BATCH_BYTES || items > MAX_BATCH_ITEMS)) break;
    end += 1;
  }
  return end;
}

/** Number of items that the store writes for a message: the message, its own id, and two for each file. */
function countItems({ id, parts = [] }: MessageInput): number {
  return (id === undefined ? 1 : 2) + 2 * parts.filter(({ type }) => type === "file").length;
}

/**
 * Gives each message a time that is not earlier than its parent's, because the order of the source matters more than its clock. If the
 * source has no times at all, the server sets them.
 */
function orderTimes(
  messages: readonly SourceMessage[],
  order: readonly number[],
  parents: readonly (number | undefined)[],
  startedAt: number | undefined,
): { times: (number | undefined)[]; moved: number } {
  const times: (number | undefined)[] = messages.map(() => undefined);
  let moved = 0;
  const first = startedAt ?? messages.find(({ at }) => at !== undefined)?.at;
  for (const index of order) {
    const at = messages[index]?.at;
    const parent = parents[index];
    const previous = parent === undefined ? undefined : times[parent];
    const isEarlier = at !== undefined && previous !== undefined && at < previous;
    if (isEarlier) moved += 1;
    times[index] = at === undefined || isEarlier ? (previous === undefined ? first : previous + 1) : at;
  }
  return { times, moved };
}

/**
 * Makes the times of a session with several batches different along each branch. The API sorts messages with equal times by their
 * arrival, and two requests arrive in their order only if the server's clocks agree.
 */
function separateBatches(messages: MessageInput[]): MessageInput[] {
  const [, second] = batchesFrom(messages, 0);
  if (!second) return messages;
  const times = new Map<string | null | undefined, number>();
  let previous = Number.NEGATIVE_INFINITY;
  return messages.map((message) => {
    if (message.created_at === undefined) return message;
    const before = message.parent_id === undefined ? previous : (times.get(message.parent_id) ?? 0);
    previous = Math.max(Date.parse(message.created_at), before + 1);
    times.set(message.id, previous);
    return { ...message, created_at: new Date(previous).toISOString() };
  });
}

function earliest(...times: (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}

function cutText(text: string, changes: Changes): string {
  if (text.length <= MAX_TEXT) return text;
  changes.mended += 1;
  // Do not cut between the halves of a surrogate pair.
  return text.slice(0, text.slice(0, MAX_TEXT).isWellFormed() ? MAX_TEXT : MAX_TEXT - 1);
}

/** Creates a function that replaces halves of surrogate pairs in all texts of a value. */
function createMender(changes: Changes): <T>(value: T) => T {
  const mend = (value: unknown): unknown => {
    if (typeof value === "string") {
      if (value.isWellFormed()) return value;
      changes.mended += 1;
      return value.toWellFormed();
    }
    if (Array.isArray(value)) return value.map(mend);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, mend(inner)]));
  };
  return mend as <T>(value: T) => T;
}

function check<T>(schema: z.ZodType<T>, name: string, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new BadRecord(`${[name, ...(issue?.path ?? [])].join(".")}: ${issue?.message ?? "not valid"}`);
}
