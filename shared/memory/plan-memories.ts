import { type MessageRecord, positionOf, timeOrderedId } from "../session/message.ts";
import type { Role } from "../session/schema.ts";
import type { SessionId } from "../session/session.ts";
import { chunksOf } from "./chunk.ts";
import type { Draft } from "./record.ts";
import { countTerms, isCourtesy, termsOf } from "./terms.ts";

/** Who says things that are worth remembering: instructions to the model and outputs of tools are neither said nor asked. */
const REMEMBERED: readonly Role[] = ["user", "assistant"];

const DATE = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "long", year: "numeric" });

/**
 * The memories that a message makes: one, or several of a long one; always the same. Not remembered are messages of the
 * roles `system` and `tool`, and those that hold nothing but stop words, greetings, thanks and stock phrases.
 */
export function planMemories(session: SessionId, generation: number, message: MessageRecord): Draft[] {
  if (!REMEMBERED.includes(message.role) || isCourtesy(message.content)) return [];
  const { id, role, name, content, created_at } = message;
  const seed = `memory ${session.user} ${session.id} ${positionOf(message)}`;
  return chunksOf(content).map((chunk, n) => ({
    user_id: session.user,
    id: timeOrderedId({ seed, at: Date.parse(created_at) }, n),
    session_id: session.id,
    message_id: id,
    role,
    ...(name === undefined ? {} : { name }),
    content: chunk,
    created_at,
    arrived: arrivalOf(message),
    generation,
    counts: countTerms(termsOf(`${contextOf(name ?? role, created_at)}: ${chunk}`)),
  }));
}

/** Who said it and on which day: questions name both. */
export const contextOf = (speaker: string, created_at: string): string =>
  `${speaker}, ${DATE.format(new Date(created_at))}`;

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7/;

/** Epoch milliseconds at which a message was captured: its time-ordered id says so, whatever `created_at` claims. */
function arrivalOf({ id, order = id, created_at }: MessageRecord): number {
  return UUID_V7.test(order) ? Number.parseInt(order.slice(0, 13).replace("-", ""), 16) : Date.parse(created_at);
}
