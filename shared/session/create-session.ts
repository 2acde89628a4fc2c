import { toInstant } from "../clock.ts";
import { AppError } from "../errors.ts";
import { timeOrderedId } from "./message.ts";
import type { SessionCreate } from "./schema.ts";
import { type Anchor, dueAfter, expiryOf, type RequestIdentity, type SessionRecord } from "./session.ts";
import type { OnStored } from "./stored.ts";
import type { Stores } from "./stores.ts";

/** Creates a session; a retry of the same request gives the session that the first attempt made. Throws `conflict`. */
export async function createSession(
  { sessions, clock }: Pick<Stores, "sessions" | "clock">,
  user: string,
  input: SessionCreate,
  request: RequestIdentity,
  defaultTtlSeconds: number,
  onStored?: OnStored,
): Promise<SessionRecord> {
  const now = clock();
  const record = newRecord(user, input, request, defaultTtlSeconds, now);
  const session = { user, id: record.id };
  if (await sessions.create(record, anchorOf(record, request, now))) {
    onStored?.({ sessions: 1 });
    return record;
  }
  const anchor = await sessions.findAnchor(session);
  const stored = anchor?.seed === request.seed ? await sessions.find(session) : null;
  if (stored) return stored;
  throw new AppError("conflict", `a session with the id ${record.id} exists`);
}

function newRecord(
  user: string,
  input: SessionCreate,
  request: RequestIdentity,
  defaultTtlSeconds: number,
  now: number,
): SessionRecord {
  const lifetime = { ttl_seconds: input.ttl_seconds ?? defaultTtlSeconds, pinned: input.pinned ?? false };
  return {
    user_id: user,
    id: input.id ?? timeOrderedId(request, 0),
    status: "active",
    title: input.title ?? null,
    metadata: input.metadata ?? {},
    created_at: input.created_at ?? toInstant(request.at),
    updated_at: toInstant(now),
    expires_at: expiryOf(lifetime, now),
    ...lifetime,
    message_count: 0,
    version: 1,
    generation: 1,
  };
}

function anchorOf(record: SessionRecord, { seed, at }: RequestIdentity, now: number): Anchor {
  return {
    user_id: record.user_id,
    id: record.id,
    state: "active",
    title: record.title,
    metadata: record.metadata,
    created_at: record.created_at,
    ttl_seconds: record.ttl_seconds,
    pinned: record.pinned,
    generation: 1,
    live_generation: 1,
    begun: at,
    seed,
    due_at: dueAfter(record, now),
    cleanup: false,
  };
}
