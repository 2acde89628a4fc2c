import { toInstant, toSeconds } from "../clock.ts";
import type { Session } from "./schema.ts";
import type { Tree } from "./tree.ts";

/** A session as it is stored: the header of a hot one, the stub of an archived one. */
export interface SessionRecord {
  user_id: string;
  id: string;
  status: "active" | "archived";
  title: string | null;
  /** Id of the last message that the title was made from, so that it goes with the message. Absent or `null` = a client set the title. */
  title_of?: string | null;
  metadata: Record<string, unknown>;
  /** ISO 8601. */
  created_at: string;
  /** ISO 8601; the last write. */
  updated_at: string;
  /** ISO 8601; stubs only. */
  archived_at?: string;
  /** Epoch seconds at which DynamoDB may delete this item; `null` = never. A stub's is that of its archive. */
  expires_at: number | null;
  /** Seconds of idleness after which the session expires; 0 = never. */
  ttl_seconds: number;
  pinned: boolean;
  message_count: number;
  /** The current branch. Absent = the session never branched, so that it has no tree. */
  branch?: number;
  /** Id and position of the current branch's last message. Absent = there is none, or an earlier version wrote it. */
  head_id?: string;
  head_at?: string;
  /** Grows with every write: the source of the ETag. */
  version: number;
  /**
   * The hot copy that is valid; of a stub, the one that was archived. No two copies under the same session id have the same
   * generation, also when the session was deleted and created again: see `firstGeneration`.
   */
  generation: number;
  /** Epoch milliseconds of the request that created it. Absent = the session was made by an earlier version. */
  begun?: number;
  /** Where the archived session is; stubs only. */
  archive?: ArchiveRef;
  /** An append in several transactions that has begun and not ended. */
  open_append?: OpenAppend;
  /** Running turns by the ids of their answers. For each of them one message is stored that is not in `message_count` yet. */
  turns?: Record<string, RunningTurn>;
  /** The seed of the request that emptied it last, by which a retry of that knows that it is done. */
  reset_by?: string;
}

export interface RunningTurn {
  /** Epoch milliseconds from which on the turn counts as dead. */
  until: number;
  branch: number;
}

export interface OpenAppend {
  /** SHA-256 of what is appended. */
  digest: string;
  seed: string;
  /** Epoch milliseconds. */
  at: number;
}

/**
 * What exists of a session from its creation to its deletion, wherever its messages are. The reconciler finds the
 * session by it, and a session whose header DynamoDB has deleted is known by it until the stub is written.
 */
export interface Anchor {
  user_id: string;
  id: string;
  state: "active" | "archived" | "deleted";
  title: string | null;
  /** As in the header. */
  title_of?: string | null;
  metadata: Record<string, unknown>;
  created_at: string;
  ttl_seconds: number;
  pinned: boolean;
  /** The last generation given out; only its holder may make it the live one. */
  generation: number;
  live_generation: number;
  /**
   * The session's first generation, or that of its last reset. Older generations are deleted content, of this session or of
   * an earlier one with the same id. Absent = the session was made by an earlier version and was never reset.
   */
  reset_generation?: number;
  /** Grows with every change of the tree, so that what was decided by an older tree is not written. Absent = it never branched. */
  tree_version?: number;
  /** The seed of the request that created the session, by which its retry knows its own. */
  seed: string;
  /** Epoch milliseconds of that request. Absent = the session was made by an earlier version. */
  begun?: number;
  /** ISO 8601 time at which the reconciler looks at the session again; absent = never. */
  due_at?: string;
  /** Something may be left over: an older generation, an object of a session that is active again. */
  cleanup: boolean;
  /** Deleted only: nothing is left but this tombstone. */
  purged?: boolean;
}

/**
 * A deleted session of which something may be left: its anchor, or a copy of it once the id is in use again. It names what
 * is deleted by generation, so that nothing of a later session with the same id is touched.
 */
export interface Tombstone {
  user_id: string;
  id: string;
  created_at: string;
  /** The last generation of the session. */
  generation: number;
  purged?: boolean;
  /** It is stored under a key of its own, because the anchor is that of a later session. */
  moved?: boolean;
}

/** What a session is at an instant. `limbo`: DynamoDB has deleted the header, the archiver has not yet come. */
export type SessionState =
  | { kind: "active"; record: SessionRecord }
  | { kind: "expired"; record: SessionRecord }
  | { kind: "archived"; record: SessionRecord }
  | { kind: "limbo"; anchor: Anchor }
  | { kind: "none"; anchor?: Anchor };

/** An expired record counts as expired from its second on, whether or not DynamoDB has deleted it. */
export function isExpired(record: { expires_at: number | null }, now: number): boolean {
  return record.expires_at !== null && record.expires_at <= toSeconds(now);
}

/** The state that header (or stub) and anchor amount to at `now` (epoch ms). */
export function stateOf(record: SessionRecord | null, anchor: Anchor | null, now: number): SessionState {
  if (record?.status === "active") return { kind: isExpired(record, now) ? "expired" : "active", record };
  if (record?.status === "archived" && !isExpired(record, now)) return { kind: "archived", record };
  if (record === null && anchor?.state === "active") return { kind: "limbo", anchor };
  return anchor ? { kind: "none", anchor } : { kind: "none" };
}

/** Epoch seconds at which a session that is written to at `now` (epoch ms) expires; `null` = never. */
export function expiryOf(
  { ttl_seconds, pinned }: { ttl_seconds: number; pinned: boolean },
  now: number,
): number | null {
  return pinned || ttl_seconds === 0 ? null : toSeconds(now) + ttl_seconds;
}

/** Where the numbering of generations starts: 2024-01-01T00:00:00Z in epoch milliseconds. */
const FIRST_GENERATION_AT = 1_704_067_200_000;

/**
 * The first generation of a session that is created at `now` (epoch ms): whole seconds since 2024, and always above the
 * generations of `earlier`, a deleted session with the same id. Each restore and reset adds 1, far less than one per second,
 * so a generation is unique for the id even when nothing is left of the earlier session. As 32 bits, it lasts until 2092.
 */
export function firstGeneration(now: number, earlier?: { generation: number }): number {
  return Math.max(toSeconds(now - FIRST_GENERATION_AT), (earlier?.generation ?? 0) + 1);
}

/** Milliseconds by which the clocks of two functions may differ. */
const CLOCK_SKEW = 5000;

/**
 * Whether a session was created after a request had begun (epoch ms of its first attempt). Then the request is meant for an
 * earlier session with the same id: it was repeated late, or its function was frozen in between.
 */
export function isLaterThan({ begun = 0 }: { begun?: number }, at: number): boolean {
  return begun > at + CLOCK_SKEW;
}

const HOUR = 3600;

/** Seconds until the reconciler looks again at a session that never expires. */
const NEVER_EXPIRING = 30 * 86_400;

/**
 * When the reconciler looks after a session that expires at `expires_at`: an hour later, or one more of its own
 * lifetime when that is shorter. ISO 8601.
 */
export function dueAfter(record: { expires_at: number | null; ttl_seconds: number }, now: number): string {
  if (record.expires_at === null) return toInstant(now + NEVER_EXPIRING * 1000);
  return toInstant((record.expires_at + Math.min(HOUR, Math.max(1, record.ttl_seconds))) * 1000);
}

/** When the reconciler looks after a change that is made of several steps: no request runs for so long. ISO 8601. */
export function dueSoon(now: number): string {
  return toInstant(now + 15 * 60_000);
}

/** The session as the API shows it at `now` (epoch ms). */
export function toSession(record: SessionRecord, now: number): Session {
  const archived = record.status === "archived" || isExpired(record, now);
  const session: Session = {
    id: record.id,
    user_id: record.user_id,
    title: record.title,
    status: archived ? "archived" : "active",
    created_at: record.created_at,
    updated_at: record.updated_at,
    expires_at: archived || record.expires_at === null ? null : toInstant(record.expires_at * 1000),
    ttl_seconds: record.ttl_seconds,
    pinned: record.pinned,
    message_count: record.message_count + Object.keys(record.turns ?? {}).length,
    head_id: record.head_id ?? null,
    metadata: record.metadata as Session["metadata"],
  };
  if (archived) session.archived_at = record.archived_at ?? toInstant((record.expires_at ?? 0) * 1000);
  return session;
}

/** Strong ETag: changes with every write and when the session expires, and never repeats for a session id. */
export function etagOf(record: SessionRecord, now: number): string {
  return `"${record.generation}-${record.version}-${record.status === "archived" || isExpired(record, now) ? "archived" : "active"}"`;
}

/** The request on whose behalf something is written; a retry of it has the same seed and time. */
export interface RequestIdentity {
  /** Unguessable; ids made for the request derive from it. */
  seed: string;
  /** Epoch milliseconds of the first attempt. */
  at: number;
}

export interface SessionId {
  user: string;
  id: string;
}

/** An archived session: where it is and how to find a message in it. */
export interface ArchiveRef {
  /** Object key; a function of the session alone. */
  key: string;
  /** ETag of the object, so that one is never taken for another. */
  etag: string;
  /** Bytes of the object. */
  bytes: number;
  /** The parts that can be read on their own, in order. */
  chunks: Chunk[];
  /** Absent = the session never branched. */
  tree?: Tree;
}

export interface Chunk {
  /** Byte at which it starts in the object; it ends where the next one starts. */
  offset: number;
  /** Position of its first message. */
  first: string;
}
