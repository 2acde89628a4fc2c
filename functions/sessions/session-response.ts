import type { HttpResponse } from "../../shared/http/http-handler.ts";
import { notFound, readSession } from "../../shared/session/read-session.ts";
import type { Session } from "../../shared/session/schema.ts";
import { etagOf, type SessionRecord, toSession } from "../../shared/session/session.ts";
import type { Stores } from "../../shared/session/stores.ts";

/** A session as an answer, with its ETag. `now` is in epoch milliseconds. */
export const sessionResponse = (
  record: SessionRecord,
  now: number,
  status = 200,
  headers: Record<string, string> = {},
): HttpResponse<KeptSession> => ({
  status,
  headers: { etag: etagOf(record, now), ...headers },
  body: toSession(record, now),
  kept: { ...toSession(record, now), title: null, metadata: {} },
});

/** What is kept of an answered session for repeats: everything but its content. */
export type KeptSession = Session & { title: null };

/**
 * The session of a first answer. `content` is by default what the session has now. Throws `not_found` when the session was deleted
 * since, also when its id belongs to another session now.
 */
export async function repeatSession(
  stores: Pick<Stores, "sessions" | "clock">,
  kept: KeptSession,
  content?: Pick<Session, "title" | "metadata">,
): Promise<Session> {
  const state = await readSession(stores, { user: kept.user_id, id: kept.id });
  if (state.kind === "none") throw notFound();
  const session = state.kind === "limbo" ? state.anchor : state.record;
  if (session.created_at !== kept.created_at) throw notFound();
  const { title, metadata } = content ?? session;
  return { ...kept, title, metadata: metadata as Session["metadata"] };
}
