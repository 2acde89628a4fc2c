import { sha256 } from "../hash.ts";
import { type MessageRecord, positionOf } from "../session/message.ts";
import type { Role } from "../session/schema.ts";
import type { SessionId } from "../session/session.ts";
import { chunksOf } from "./chunk.ts";
import { type Draft, timePrefix } from "./memory.ts";
import { countTerms, isCourtesy, termsOf } from "./terms.ts";

/** Roles whose messages are remembered: not the instructions to the model, and not the output of tools. */
const REMEMBERED: readonly Role[] = ["user", "assistant"];

/** The local host's model for use without a provider. It only quotes memories. */
const OFFLINE = "offline";

const MONTHS = "January February March April May June July August September October November December".split(" ");

/**
 * Plans the memories of a message: one, or several for a long message. Messages of the roles `system` and `tool`, answers of the offline
 * model, and messages that hold only stop words, greetings, thanks and stock phrases make none.
 *
 * `life` is the generation in which the session was created or last reset. It is part of a memory's id: a message that is sent
 * again after a DELETE or reset becomes another memory, while a restore, which keeps the life, makes the same memories again.
 */
export function planMemories(session: SessionId, life: number, generation: number, message: MessageRecord): Draft[] {
  if (!REMEMBERED.includes(message.role) || message.model === OFFLINE || isCourtesy(message.content)) return [];
  const { id, role, name, content, created_at, branch } = message;
  return chunksOf(content).map((chunk, n) => ({
    user_id: session.user,
    id: memoryId(session, life, message, n),
    session_id: session.id,
    message_id: id,
    role,
    ...(name === undefined ? {} : { name }),
    content: chunk,
    created_at,
    ...(branch ? { branch } : {}),
    arrived: arrivalOf(message),
    generation,
    counts: countTerms(termsOf(`${contextOf(name ?? role, created_at)}: ${chunk}`)),
  }));
}

/** Speaker and day of a memory, because questions name both. */
export function contextOf(speaker: string, created_at: string): string {
  // Intl.DateTimeFormat gives the same text, but adds 13 ms to a cold start.
  const date = new Date(created_at);
  return `${speaker}, ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
}

/**
 * Makes a UUIDv7 (RFC 9562, section 5.7) that is a function of the session's life, the message and the chunk. Ids sort as messages do: by
 * time, then, in `rand_a`, by the message's place in its request, then by chunk.
 */
function memoryId({ user, id }: SessionId, life: number, message: MessageRecord, chunk: number): string {
  const { order = message.id } = message;
  const place = UUID_V7.test(order) ? order.slice(15, 18) : "000";
  const hash = sha256(JSON.stringify([user, id, life, positionOf(message), chunk]));
  const low = `8${chunk.toString(16).padStart(2, "0")}${hash.slice(0, 13)}`;
  return `${timePrefix(message.created_at)}7${place}-${low.slice(0, 4)}-${low.slice(4)}`;
}

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7/;

/** Epoch milliseconds at which a message was captured. Taken from its time-ordered id, because clients can set `created_at`. */
function arrivalOf({ id, order = id, created_at }: MessageRecord): number {
  return UUID_V7.test(order) ? Number.parseInt(order.slice(0, 13).replace("-", ""), 16) : Date.parse(created_at);
}
