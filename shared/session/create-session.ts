import { toInstant } from "../clock.ts";
import { AppError } from "../errors.ts";
import { bury } from "./delete-session.ts";
import { timeOrderedId } from "./message.ts";
import { notFound } from "./read-session.ts";
import { contended, retryContended } from "./retry-contended.ts";
import type { SessionCreate } from "./schema.ts";
import {
  type Anchor,
  dueAfter,
  expiryOf,
  firstGeneration,
  type RequestIdentity,
  type SessionRecord,
  stateOf,
} from "./session.ts";
import type { OnStored, Stores } from "./store.ts";

/** A new session. A turn that creates one also names the message that the title was made from. */
type NewSession = SessionCreate & Pick<SessionRecord, "title_of">;

/**
 * Creates a session. A retry of the request gets the session that the first attempt created. Throws `conflict` when the id is in use,
 * and `not_found` when the session of the first attempt has been deleted.
 */
export function createSession(
  stores: Pick<Stores, "sessions" | "memories" | "clock">,
  user: string,
  input: NewSession,
  request: RequestIdentity,
  defaultTtlSeconds: number,
  onStored?: OnStored,
): Promise<SessionRecord> {
  const { sessions, clock } = stores;
  const id = input.id ?? timeOrderedId(request, 0);
  const session = { user, id };
  let tombstone: Anchor | undefined;
  return retryContended(async () => {
    const now = clock();
    const record = newRecord(user, id, input, request, defaultTtlSeconds, now, tombstone);
    if (await sessions.create(record, anchorOf(record, request, now), tombstone)) {
      onStored?.({ sessions: 1 });
      return record;
    }

    const anchor = await sessions.findAnchor(session);
    tombstone = undefined;
    if (!anchor) return contended;
    if (anchor.state === "deleted") {
      if (anchor.seed === request.seed) throw notFound();
      tombstone = anchor;
      return contended;
    }
    const stored = await sessions.find(session);
    // The session or its archive has expired: its id is free, even if its items are still stored.
    if (stateOf(stored, anchor, clock()).kind === "none") {
      await bury(stores, anchor, stored);
      return contended;
    }
    if (anchor.seed === request.seed && stored) return stored;
    throw new AppError("conflict", `a session with the id ${id} exists: choose another id`);
  });
}

function newRecord(
  user: string,
  id: string,
  input: NewSession,
  request: RequestIdentity,
  defaultTtlSeconds: number,
  now: number,
  tombstone: Anchor | undefined,
): SessionRecord {
  const lifetime = { ttl_seconds: input.ttl_seconds ?? defaultTtlSeconds, pinned: input.pinned ?? false };
  return {
    user_id: user,
    id,
    status: "active",
    title: input.title ?? null,
    ...(input.title_of ? { title_of: input.title_of } : {}),
    metadata: input.metadata ?? {},
    created_at: input.created_at ?? toInstant(request.at),
    updated_at: toInstant(now),
    expires_at: expiryOf(lifetime, now),
    ...lifetime,
    ...(input.incognito ? { incognito: true } : {}),
    message_count: 0,
    version: 1,
    generation: firstGeneration(now, tombstone),
    begun: request.at,
  };
}

function anchorOf(record: SessionRecord, { seed, at }: RequestIdentity, now: number): Anchor {
  return {
    user_id: record.user_id,
    id: record.id,
    state: "active",
    title: record.title,
    ...(record.title_of ? { title_of: record.title_of } : {}),
    metadata: record.metadata,
    created_at: record.created_at,
    ttl_seconds: record.ttl_seconds,
    pinned: record.pinned,
    ...(record.incognito ? { incognito: true } : {}),
    generation: record.generation,
    live_generation: record.generation,
    reset_generation: record.generation,
    seed,
    begun: at,
    due_at: dueAfter(record, now),
    cleanup: false,
  };
}
