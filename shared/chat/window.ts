import { AppError } from "../errors.ts";
import { type MessageRecord, positionOf, timeOf } from "../session/message.ts";
import { notFound, readSession } from "../session/read-session.ts";
import { restoreSession } from "../session/renew-session.ts";
import { isExpired, type SessionId, type SessionRecord } from "../session/session.ts";
import type { ChatStores } from "./finish-turn.ts";

/**
 * Messages that are read with the header, as they are at this moment. Those before them have been there for longer, and are read at
 * half the price while the question is being stored.
 */
const NEWEST = 5;

/** Milliseconds after which a read that is not strongly consistent finds what was written: AWS says "usually a second". */
const SETTLED = 1000;

/** A hot session and its newest messages; `null` = there is no hot one. */
export interface Window {
  record: SessionRecord;
  /** Oldest first. */
  newest: MessageRecord[];
  /** Whether there are messages before these. */
  more: boolean;
  /** All of it was written a moment ago. */
  isRenewed?: boolean;
}

/** Header and the newest messages, `limit` at most, in one Query. */
export async function windowOf(stores: ChatStores, session: SessionId, limit: number): Promise<Window | null> {
  const { record, messages, more } = await stores.messages.window(session, Math.min(limit, NEWEST));
  if (record?.status !== "active" || isExpired(record, stores.clock())) return null;
  return { record, newest: messages.toReversed(), more };
}

/**
 * The same of a session wherever it is: one that does not exist is made by `create`, which most often is why there is no hot one,
 * and an archived one is restored. Throws `not_found` when there is none and nothing to make one.
 */
export async function renewedWindow(
  stores: ChatStores,
  session: SessionId,
  limit: number,
  create: (() => Promise<SessionRecord>) | undefined,
): Promise<Window | null> {
  let existed = false;
  try {
    const record = await create?.();
    // One that an earlier attempt made may hold messages by now.
    if (record?.version === 1) return { record, newest: [], more: false };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "conflict") throw error;
    existed = true;
  }
  const state = await readSession(stores, session);
  if (state.kind === "none") {
    // It was deleted a moment ago: the next attempt creates it.
    if (existed) return null;
    throw notFound();
  }
  if (state.kind !== "active") await restoreSession(stores, session);
  const window = await windowOf(stores, session, limit);
  return window && { ...window, isRenewed: true };
}

/** The messages before those of a window, oldest first, `limit` at most. */
export async function messagesBefore(stores: ChatStores, window: Window, limit: number): Promise<MessageRecord[]> {
  const { record, newest, more } = window;
  const [oldest] = newest;
  if (!oldest || !more || limit <= 0) return [];
  const { messages } = await stores.messages.range({ user: record.user_id, id: record.id }, record.generation, {
    order: "desc",
    after: positionOf(oldest),
    limit,
    consistent: maybeRecent(window, stores.clock()),
  });
  return messages.toReversed();
}

/**
 * Whether messages before those of the window may have been written within the last second: when the window's own are that new, or
 * when something was that they do not tell of, as a session that was restored, or messages that were dated back.
 */
function maybeRecent({ record, newest, isRenewed = false }: Window, now: number): boolean {
  const arrivals = newest.map((message) => timeOf(message.order ?? message.id));
  const last = Math.max(...newest.map(({ latency_ms = 0 }, n) => (arrivals[n] ?? 0) + latency_ms));
  const written = Date.parse(record.updated_at);
  const isUntold = now - written < SETTLED && written - last >= SETTLED;
  return isRenewed || isUntold || now - (arrivals[0] ?? now) < SETTLED;
}
