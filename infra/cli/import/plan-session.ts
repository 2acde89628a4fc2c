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
import { BadRecord, type Conversation, type SourceMessage } from "./conversation.ts";

/**
 * Messages per batch. With the session's header they fill one DynamoDB transaction, so a batch is stored completely or not at all, and
 * costs one write. The API accepts one more.
 */
const MAX_BATCH_MESSAGES = MAX_BATCH - 1;

/** Bytes of JSON per batch: half of the server's limit, and less than the limit of a transaction. */
const MAX_BATCH_BYTES = 2 * 1024 * 1024;

/** Characters of a title, the API's limit. A source's id is cut to the same length, so that it fits into the 4 KB of metadata. */
const MAX_TEXT = 500;

/** What an import sends for one conversation. Each run makes the same plan from the same record. */
export interface Plan {
  session: SessionCreate & { id: string };
  messages: MessageInput[];
  changes: Changes;
}

export interface Changes {
  /** Messages that were older than the one before them, and got a later time. */
  moved: number;
  /** 1 when the API does not accept the source's id, so that the session has another one. */
  renamed: number;
  /** Texts with half of a surrogate pair, which UTF-8 cannot encode, and titles and ids that were too long. */
  mended: number;
}

/**
 * Makes a conversation fit the API's rules.
 * @throws BadRecord naming the message and the rule that it breaks.
 */
export function planSession({ id, title, startedAt, messages }: Conversation, ttlSeconds?: number): Plan {
  const { times, moved } = orderTimes(messages, startedAt);
  const newId = sessionId(id);
  const changes: Changes = { moved, renamed: newId === id ? 0 : 1, mended: 0 };
  const mend = (text: string): string => {
    if (text.isWellFormed()) return text;
    changes.mended += 1;
    return text.toWellFormed();
  };
  const createdAt = earliest(startedAt, times[0]);
  return {
    session: {
      ...check(createSessionSchema, "session", {
        ...(title !== undefined && { title: cutText(mend(title), changes) }),
        ...(newId !== id && { metadata: { source_id: cutText(mend(id), changes) } }),
        ...(createdAt !== undefined && { created_at: new Date(createdAt).toISOString() }),
        ...(ttlSeconds !== undefined && { ttl_seconds: ttlSeconds }),
      }),
      id: newId,
    },
    messages: separateBatches(
      messages.map(({ role, content, name, metadata }, index) => {
        const at = times[index];
        return check(messageInputSchema, `messages[${index}]`, {
          role,
          content: mend(content),
          ...(name && { name: mend(name) }),
          ...(at !== undefined && { created_at: new Date(at).toISOString() }),
          ...(metadata && { metadata }),
        });
      }),
    ),
    changes,
  };
}

/**
 * Checks times that the API would refuse after it has stored a part of the session.
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
  return idSchema.safeParse(sourceId).success ? sourceId : v5(sourceId, v5("memocha:import", NIL));
}

export interface Batch {
  /** Index of its first message in the session. */
  start: number;
  messages: MessageInput[];
}

/**
 * The batches that are left to send when `from` messages are stored. Batches end at the same messages whatever `from` is, so that the
 * next run sends the same batches with the same keys.
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
  let end = start;
  for (const message of messages.slice(start, start + MAX_BATCH_MESSAGES)) {
    bytes += Buffer.byteLength(JSON.stringify(message)) + 1;
    if (end > start && bytes > MAX_BATCH_BYTES) break;
    end += 1;
  }
  return end;
}

/**
 * Gives each message a time that is not earlier than the one before, because the order of the source matters more than its clock.
 * If the source has no times at all, the server sets them.
 */
function orderTimes(
  messages: readonly SourceMessage[],
  startedAt: number | undefined,
): { times: (number | undefined)[]; moved: number } {
  let previous: number | undefined;
  let moved = 0;
  const first = startedAt ?? messages.find(({ at }) => at !== undefined)?.at;
  const times = messages.map(({ at }) => {
    const isEarlier = at !== undefined && previous !== undefined && at < previous;
    if (isEarlier) moved += 1;
    const next = previous === undefined ? first : previous + 1;
    previous = at === undefined || isEarlier ? next : at;
    return previous;
  });
  return { times, moved };
}

/**
 * Makes all times of a session with several batches different. The API sorts messages with equal times by their arrival, and two
 * requests arrive in their order only if the server's clocks agree.
 */
function separateBatches(messages: MessageInput[]): MessageInput[] {
  const [, second] = batchesFrom(messages, 0);
  if (!second) return messages;
  let previous = Number.NEGATIVE_INFINITY;
  return messages.map((message) => {
    if (message.created_at === undefined) return message;
    previous = Math.max(Date.parse(message.created_at), previous + 1);
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

function check<T>(schema: z.ZodType<T>, name: string, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new BadRecord(`${[name, ...(issue?.path ?? [])].join(".")}: ${issue?.message ?? "not valid"}`);
}
