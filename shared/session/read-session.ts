import { AppError } from "../errors.ts";
import {
  type Anchor,
  type ArchiveRef,
  isLaterThan,
  type SessionId,
  type SessionRecord,
  type SessionState,
  stateOf,
} from "./session.ts";
import type { Stores } from "./store.ts";
import { createTally, headOf, type Tally, type Tree } from "./tree.ts";

/**
 * What a session is right now. One strongly consistent read of a session that is hot or archived. A request that writes says when
 * it began (epoch ms): for it, a session that was created later does not exist.
 */
export async function readSession(
  stores: Pick<Stores, "sessions" | "clock">,
  session: SessionId,
  requestedAt = Number.POSITIVE_INFINITY,
): Promise<SessionState> {
  const state = await currentState(stores, session);
  const found = state.kind === "limbo" || state.kind === "none" ? state.anchor : state.record;
  return found && isLaterThan(found, requestedAt) ? { kind: "none" } : state;
}

async function currentState(
  { sessions, clock }: Pick<Stores, "sessions" | "clock">,
  session: SessionId,
): Promise<SessionState> {
  const record = await sessions.find(session);
  if (record) return stateOf(record, null, clock());
  const anchor = await sessions.findAnchor(session);
  if (!anchor || anchor.state === "deleted") return stateOf(null, anchor, clock());
  // The archiver may have written the stub between the two reads.
  return stateOf(await sessions.find(session), anchor, clock());
}

/** The session's record, whatever its state. Throws `not_found`. */
export async function showSession(
  stores: Pick<Stores, "sessions" | "messages" | "clock">,
  session: SessionId,
): Promise<SessionRecord> {
  const state = await readSession(stores, session);
  if (state.kind === "none") throw notFound();
  if (state.kind !== "limbo") return withHead(stores, session, state.record);
  const { live_generation } = state.anchor;
  const tree = await stores.messages.tree(session, live_generation);
  const tally = createTally(tree);
  for await (const page of stores.messages.all(session, live_generation))
    for (const message of page) tally.add(message);
  return recordOf(state.anchor, tally.result, tree, stores.clock());
}

/** The record with its head, which earlier versions did not store. That of a session they archived is known once it is restored. */
async function withHead(
  { messages }: Pick<Stores, "messages">,
  session: SessionId,
  record: SessionRecord,
): Promise<SessionRecord> {
  if (record.head_id !== undefined || record.message_count === 0 || record.status === "archived") return record;
  const [head] = (await messages.window(session, 1)).messages;
  return head ? { ...record, head_id: head.id } : record;
}

/**
 * Whether reading the archive failed because the session was restored, archived again or deleted since its stub was read: then
 * the session has to be read again. An object that the stub still names and that is gone all the same is another matter.
 */
export async function hasLeftArchive(
  stores: Pick<Stores, "sessions" | "clock">,
  session: SessionId,
  ref: ArchiveRef,
  error: unknown,
): Promise<boolean> {
  if (!(error instanceof AppError) || error.code !== "not_found") return false;
  const state = await readSession(stores, session);
  return state.kind !== "archived" || state.record.archive?.etag !== ref.etag;
}

export function notFound(): AppError {
  return new AppError("not_found", "no such session");
}

/** The stub that a session in limbo will have, as far as its anchor and messages tell. */
export function recordOf(anchor: Anchor, tally: Tally, tree: Tree, now: number): SessionRecord {
  return {
    user_id: anchor.user_id,
    id: anchor.id,
    status: "archived",
    title: anchor.title,
    ...(anchor.title_of ? { title_of: anchor.title_of } : {}),
    metadata: anchor.metadata,
    created_at: anchor.created_at,
    updated_at: tally.last ?? anchor.created_at,
    archived_at: new Date(now).toISOString(),
    expires_at: null,
    ttl_seconds: anchor.ttl_seconds,
    pinned: anchor.pinned,
    message_count: tally.messageCount,
    ...headOf(tree, tally.head),
    // Any version that the session had before is smaller than a time.
    version: now,
    generation: anchor.live_generation,
    ...(anchor.begun === undefined ? {} : { begun: anchor.begun }),
  };
}
