import type { HttpResponse } from "../../shared/http/http-handler.ts";
import { notFound, requireSession } from "../../shared/session/read-session.ts";
import type { Session } from "../../shared/session/schema.ts";
import { etagOf, type SessionRecord, toSession } from "../../shared/session/session.ts";
import type { Stores } from "../../shared/session/store.ts";

/** A session as an answer, with its ETag. `now` is in epoch milliseconds. */
export function sessionResponse(
  record: SessionRecord,
  now: number,
  status = 200,
  headers: Record<string, string> = {},
): HttpResponse<never> {
  return {
    status,
    headers: { etag: etagOf(record, now), ...headers },
    body: toSession(record, now),
  };
}

/** The part of an answer that is kept for repeats of the request. */
export interface KeptSession {
  /** The seed of the request that created the session: it tells the session from a later one with the same id. */
  seed: string;
  /** The session without its content. */
  session: Session;
}

/** Prepares what is kept of an answer from `now` (epoch ms). Reads the seed if the caller does not know it. */
export async function keepSession(
  { sessions }: Pick<Stores, "sessions">,
  record: SessionRecord,
  now: number,
  seed?: string,
): Promise<KeptSession> {
  const session = { ...toSession(record, now), title: null, metadata: {} };
  if (seed !== undefined) return { seed, session };
  const anchor = await sessions.findAnchor({ user: record.user_id, id: record.id });
  // A session that was deleted in the meantime has no seed, and a later one with its id has higher generations.
  const isSame = anchor && (anchor.reset_generation ?? 0) <= record.generation;
  return { seed: isSame ? anchor.seed : "", session };
}

/**
 * The session of a first answer. `content` is by default what the session has now. Throws `not_found` when the session was deleted
 * since, also when its id belongs to another session now.
 */
export async function repeatSession(
  { sessions, clock }: Pick<Stores, "sessions" | "clock">,
  { seed, session }: KeptSession,
  content?: Pick<Session, "title" | "metadata">,
): Promise<Session> {
  const anchor = await sessions.findAnchor({ user: session.user_id, id: session.id });
  if (!anchor || anchor.state === "deleted" || anchor.seed !== seed) throw notFound();
  // Its anchor stays for a while after an incognito session has expired.
  if (anchor.incognito) await requireSession({ sessions, clock }, { user: session.user_id, id: session.id });
  const { title, metadata } = content ?? anchor;
  return { ...session, title, metadata: metadata as Session["metadata"] };
}
