import type { HttpResponse } from "../../shared/http/http-handler.ts";
import { notFound, requireSession } from "../../shared/session/read-session.ts";
import type { Session } from "../../shared/session/schema.ts";
import { etagOf, type SessionRecord, toSession } from "../../shared/session/session.ts";
import type { Stores } from "../../shared/session/store.ts";

/** Returns the answer with a session and its ETag. `now` is in epoch milliseconds. */
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
  /** The seed of the request that created the session. A later session with the same id has another seed. */
  seed: string;
  /** The session without its content. */
  session: Session;
}

/** Prepares the data that is kept of an answer at `now` (epoch ms). Reads the seed if the caller does not know it. */
export async function keepSession(
  { sessions }: Pick<Stores, "sessions">,
  record: SessionRecord,
  now: number,
  seed?: string,
): Promise<KeptSession> {
  const session = { ...toSession(record, now), title: null, metadata: {} };
  if (seed !== undefined) return { seed, session };
  const anchor = await sessions.findAnchor({ user: record.user_id, id: record.id });
  // If the session was deleted meanwhile, keep no seed. A later session with its id has higher generations.
  const isSame = anchor && (anchor.reset_generation ?? 0) <= record.generation;
  return { seed: isSame ? anchor.seed : "", session };
}

/**
 * Returns the session of a first answer. `content` is its content then; by default, it is the content now. Throws `not_found` when the
 * session was deleted since, also when another session has the id now.
 */
export async function repeatSession(
  { sessions, clock }: Pick<Stores, "sessions" | "clock">,
  { seed, session }: KeptSession,
  content?: Pick<Session, "title" | "metadata">,
): Promise<Session> {
  const anchor = await sessions.findAnchor({ user: session.user_id, id: session.id });
  if (!anchor || anchor.state === "deleted" || anchor.seed !== seed) throw notFound();
  // The anchor of an incognito session can still exist after the session has expired.
  if (anchor.incognito) await requireSession({ sessions, clock }, { user: session.user_id, id: session.id });
  const { title, metadata } = content ?? anchor;
  return { ...session, title, metadata: metadata as Session["metadata"] };
}
