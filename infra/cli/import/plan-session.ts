import { NIL, v5 } from "uuid";
import type { z } from "zod";
import { refuseFuture } from "../../../shared/session/future-time.ts";
import {
  createSessionSchema,
  idSchema,
  MAX_BATCH,
  type MessageInput,
  messageInputSchema,
  type SessionCreate,
} from "../../../shared/session/schema.ts";
import { BadRecord } from "./bad-record.ts";
import type { Conversation, SourceMessage } from "./conversation.ts";

/**
 * Messages a batch: with the session's header they fill one DynamoDB transaction, so that a batch is stored whole or not
 * at all, and costs one write. The API itself takes one more.
 */
export const MAX_BATCH_MESSAGES = MAX_BATCH - 1;

/** Bytes of JSON a batch: half of what the server takes, and less than a transaction holds. */
export const MAX_BATCH_BYTES = 2 * 1024 * 1024;

/** Characters that a title may have. A source's id is cut to as many, so that it fits into the 4 KB of metadata. */
const MAX_TEXT = 500;

/** What an import sends for one conversation: the same for the same record, however often it runs. */
export interface Plan {
  session: SessionCreate & { id: string };
  messages: MessageInput[];
  /** What had to be changed on the way. */
  changes: Changes;
}

export interface Changes {
  /** Messages older than the one before them, which got a later time. */
  moved: number;
  /** Ids that the API does not take: 1 when this session has another id than in the source. */
  renamed: number;
  /** Texts with half a surrogate pair, which has no UTF-8 form, or titles and ids that were too long. */
  mended: number;
}

/**
 * Fits a conversation to the API's rules.
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
 * Refuses what the API would refuse after it has stored a part of the session.
 * @throws BadRecord when a time lies too far in the future.
 */
export function checkTimes({ session, messages }: Plan, now: number): void {
  try {
    refuseFuture(session, now);
    refuseFuture({ messages }, now);
  } catch (error) {
    throw new BadRecord((error as Error).message, { cause: error });
  }
}

/** The source's id if the API takes it as it is, otherwise a hash of it: the same in every run (UUIDv5). */
export function sessionId(sourceId: string): string {
  return idSchema.safeParse(sourceId).success ? sourceId : v5(sourceId, v5("memocha:import", NIL));
}

export interface Batch {
  /** Index of its first message in the session. */
  start: number;
  messages: MessageInput[];
}

/**
 * The batches that are still to be sent when `from` messages are stored. Their limits are counted from the session's
 * beginning whatever `from` is, so that a run which goes on after another one sends the same batches under the same keys.
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
 * A time for each message, never earlier than the one before: the order of the source counts more than its clock.
 * Without any time in the source, and no start, the server's clock decides.
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
 * The API sorts by time, and equal times by arrival. Those of one request arrive in their order; those of two do as far as
 * the server's clocks agree. So in a session of several batches no two times are equal, by as many milliseconds as it takes.
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
  // Not between the halves of a surrogate pair.
  return text.slice(0, text.slice(0, MAX_TEXT).isWellFormed() ? MAX_TEXT : MAX_TEXT - 1);
}

function check<T>(schema: z.ZodType<T>, what: string, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new BadRecord(`${[what, ...(issue?.path ?? [])].join(".")}: ${issue?.message ?? "not valid"}`);
}
