import { AppError } from "../errors.ts";
import { contended } from "./retry-contended.ts";
import { type Anchor, isLaterThan, type SessionId, type SessionRecord, type SessionState, stateOf } from "./session.ts";
import type { Stores } from "./store.ts";
import { createTally, headOf, type Tally, type Tree } from "./tree.ts";

/**
 * Reads the current state of a session. A hot or archived session takes one strongly consistent read. A request that writes passes the
 * time at which it began (epoch ms), because a session that was created later does not exist for that request.
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
  // The archiver may have written the stub between the reads of header and anchor.
  return stateOf(await sessions.find(session), anchor, clock());
}

/** Throws `not_found` when there is no such session. */
export async function requireSession(stores: Pick<Stores, "sessions" | "clock">, session: SessionId): Promise<void> {
  if ((await readSession(stores, session)).kind === "none") throw notFound();
}

/** Reads the session's record in any state. Throws `not_found`. */
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

/** Adds the head, which earlier versions did not store. For a session that they archived, the head stays unknown until a restore. */
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
 * Reads messages of a session whose state was read before. Returns `contended` if a message is missing because the session was restored,
 * archived, reset or deleted meanwhile: the caller must read the session again. If the session has not moved, throws the error.
 */
export async function lookAt<T>(
  stores: Pick<Stores, "sessions" | "clock">,
  session: SessionId,
  state: SessionState,
  look: () => Promise<T>,
): Promise<T | typeof contended> {
  try {
    return await look();
  } catch (error) {
    const isMissing = error instanceof AppError && (error.code === "not_found" || error.code === "validation_failed");
    if (isMissing && !(await isInPlace(stores, session, state))) return contended;
    throw error;
  }
}

/** Whether the messages of a session are still where they were when its state was read. Their old place is cleared only after a move. */
export async function isInPlace(
  stores: Pick<Stores, "sessions" | "clock">,
  session: SessionId,
  state: SessionState,
): Promise<boolean> {
  return whereIs(await readSession(stores, session)) === whereIs(state);
}

function whereIs(state: SessionState): string {
  if (state.kind === "none") return "nowhere";
  if (state.kind === "limbo") return `hot ${state.anchor.live_generation}`;
  const { generation, archive } = state.record;
  return state.kind === "archived" ? `archived ${generation} ${archive?.etag}` : `hot ${generation}`;
}

export function notFound(): AppError {
  return new AppError("not_found", "no such session");
}

/** The stub that the archiver will write for a session in limbo, computed from its anchor and messages. */
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
    // A time is greater than every earlier version of the session.
    version: now,
    generation: anchor.live_generation,
    ...(anchor.begun === undefined ? {} : { begun: anchor.begun }),
  };
}
