import { toInstant, toSeconds } from "../clock.ts";
import type { Session } from "./schema.ts";
import type { Tree } from "./tree.ts";

/** A session as it is stored: the header of a hot one, the stub of an archived one. */
export interface SessionRecord {
  user_id: string;
  id: string;
  status: "active" | "archived";
  title: string | null;
  /** Id of the last message that the title was made from: deleting that message deletes the title. Absent or `null` = a client set it. */
  title_of?: string | null;
  metadata: Record<string, unknown>;
  /** ISO 8601. */
  created_at: string;
  /** ISO 8601; the last write. */
  updated_at: string;
  /** ISO 8601; stubs only. */
  archived_at?: string;
  /** Epoch seconds at which DynamoDB may delete this item; `null` = never. For a stub, the time at which its archive expires. */
  expires_at: number | null;
  /** Seconds of idleness after which the session expires; 0 = never. */
  ttl_seconds: number;
  pinned: boolean;
  /** The session is deleted when it expires, never archived and never remembered. Absent = it is not incognito. */
  incognito?: true;
  message_count: number;
  /** The current branch. Absent = the session never branched, so that it has no tree. */
  branch?: number;
  /** Id and position of the current branch's last message. Absent = there is no message, or an earlier version wrote the header. */
  head_id?: string;
  head_at?: string;
  /** Grows with every write: the source of the ETag. */
  version: number;
  /**
   * The generation of the valid hot copy; in a stub, of the archived copy. A generation is never used twice for a session id, not
   * even when the session was deleted and created again: see `firstGeneration`.
   */
  generation: number;
  /** Epoch milliseconds of the request that created it. Absent = the session was made by an earlier version. */
  begun?: number;
  /** The archive object; stubs only. */
  archive?: ArchiveRef;
  /** An append that needs several transactions and has not finished. */
  open_append?: OpenAppend;
  /** Running turns by the ids of their answers. For each of them one message is stored that is not in `message_count` yet. */
  turns?: Record<string, RunningTurn>;
  /** The seed of the last request that reset the session, so that a retry of the request changes nothing. */
  reset_by?: string;
}

export interface RunningTurn {
  /** Epoch milliseconds from which on the turn counts as dead. */
  until: number;
  branch: number;
}

export interface OpenAppend {
  /** SHA-256 of the messages of the request. */
  digest: string;
  seed: string;
  /** Epoch milliseconds. */
  at: number;
}

/**
 * The item that a session has from its creation to its deletion, both while it is hot and while it is archived. The reconciler finds
 * sessions by their anchors. Between the deletion of an expired header and the write of its stub, only the anchor shows that the session
 * exists.
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
  /** As in the header. */
  incognito?: true;
  /** The newest generation. Only the request that took it may make it the live one. */
  generation: number;
  live_generation: number;
  /**
   * The session's first generation, or that of its last reset. Older generations are deleted content, of this session or of
   * an earlier one with the same id. Absent = the session was made by an earlier version and was never reset.
   */
  reset_generation?: number;
  /** Grows with every change of the tree, so that a write planned with an older tree fails. Absent = the session never branched. */
  tree_version?: number;
  /** The seed of the request that created the session, so that a retry recognizes its own session. */
  seed: string;
  /** Epoch milliseconds of that request. Absent = the session was made by an earlier version. */
  begun?: number;
  /** ISO 8601 time at which the reconciler looks at the session again; absent = never. */
  due_at?: string;
  /** Whether the reconciler must delete leftovers, such as an older generation, or the archive object of a session that is active again. */
  cleanup: boolean;
  /** For deleted sessions: whether everything but this tombstone is deleted. */
  purged?: boolean;
}

/**
 * A deleted session whose data may not be deleted completely: its anchor, or a copy of the anchor when the id is in use again. Its
 * generation says which data to delete, so that a later session with the same id loses nothing.
 */
export interface Tombstone {
  user_id: string;
  id: string;
  created_at: string;
  /** The last generation of the session. */
  generation: number;
  purged?: boolean;
  /** Whether the tombstone has its own key, because the anchor belongs to a later session. */
  moved?: boolean;
}

/**
 * The state of a session at one time. "limbo" means that DynamoDB has deleted the header, and the archiver has not written the stub yet.
 * "none" with an anchor that is not deleted means that the session has ended, and its data may still be stored.
 */
export type SessionState =
  | { kind: "active"; record: SessionRecord }
  | { kind: "expired"; record: SessionRecord }
  | { kind: "archived"; record: SessionRecord }
  | { kind: "limbo"; anchor: Anchor }
  | { kind: "none"; anchor?: Anchor };

/** A record is expired from the second of `expires_at` on, even if DynamoDB deletes it later. */
export function isExpired(record: { expires_at: number | null }, now: number): boolean {
  return record.expires_at !== null && record.expires_at <= toSeconds(now);
}

/** The state at `now` (epoch ms) of the session with this header (or stub) and this anchor. */
export function stateOf(record: SessionRecord | null, anchor: Anchor | null, now: number): SessionState {
  if (record && !isExpired(record, now)) return { kind: record.status, record };
  // An incognito session ends when it expires, even if it is deleted later.
  const isIncognito = record ? record.incognito : anchor?.incognito;
  if (record?.status === "active" && !isIncognito) return { kind: "expired", record };
  if (record === null && anchor?.state === "active" && !isIncognito) return { kind: "limbo", anchor };
  return anchor ? { kind: "none", anchor } : { kind: "none" };
}

/** Epoch seconds at which a session expires whose last write is at `now` (epoch ms); `null` = never. */
export function expiryOf(
  { ttl_seconds, pinned }: { ttl_seconds: number; pinned: boolean },
  now: number,
): number | null {
  return pinned || ttl_seconds === 0 ? null : toSeconds(now) + ttl_seconds;
}

/** Generations count seconds from here: 2024-01-01T00:00:00Z in epoch milliseconds. */
const FIRST_GENERATION_AT = 1_704_067_200_000;

/**
 * The first generation of a session that is created at `now` (epoch ms): whole seconds since 2024, and always above the
 * generations of `earlier`, a deleted session with the same id. Each restore and each reset adds 1, and they happen far less than once
 * per second. So a generation is unique for the id even when all data of the earlier session is gone. 32 bits last until 2092.
 */
export function firstGeneration(now: number, earlier?: { generation: number }): number {
  return Math.max(toSeconds(now - FIRST_GENERATION_AT), (earlier?.generation ?? 0) + 1);
}

/** Milliseconds by which the clocks of two functions may differ. */
const CLOCK_SKEW = 5000;

/**
 * Whether a session was created after the first attempt of a request began (`at`, epoch ms). If so, the request is for an earlier session
 * with the same id: the client repeated the request late, or Lambda froze its function.
 */
export function isLaterThan({ begun = 0 }: { begun?: number }, at: number): boolean {
  return begun > at + CLOCK_SKEW;
}

const HOUR = 3600;

/** Seconds until the reconciler checks again a session that never expires. */
const NEVER_EXPIRING = 30 * 86_400;

/**
 * The time (ISO 8601) at which the reconciler checks a session: one hour after `expires_at`, or one lifetime of the session after it if that
 * is shorter. It checks an incognito session at `expires_at`, because DynamoDB may delete the header days late.
 */
export function dueAfter(record: Pick<SessionRecord, "expires_at" | "ttl_seconds" | "incognito">, now: number): string {
  if (record.expires_at === null) return toInstant(now + NEVER_EXPIRING * 1000);
  if (record.incognito) return toInstant(record.expires_at * 1000);
  return toInstant((record.expires_at + Math.min(HOUR, Math.max(1, record.ttl_seconds))) * 1000);
}

/** The time (ISO 8601) at which the reconciler checks a change of several steps. No request runs that long. */
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
    ...(record.incognito ? { incognito: true } : {}),
    message_count: record.message_count + Object.keys(record.turns ?? {}).length,
    head_id: record.head_id ?? null,
    metadata: record.metadata as Session["metadata"],
  };
  if (archived) session.archived_at = record.archived_at ?? toInstant((record.expires_at ?? 0) * 1000);
  return session;
}

/** The strong ETag. It changes with every write and when the session expires, and never repeats for a session id. */
export function etagOf(record: SessionRecord, now: number): string {
  return `"${record.generation}-${record.version}-${record.status === "archived" || isExpired(record, now) ? "archived" : "active"}"`;
}

/** Identifies the request that causes a write. A retry has the same seed and time. */
export interface RequestIdentity {
  /** A secret from which the ids that the request needs are derived. */
  seed: string;
  /** Epoch milliseconds of the first attempt. */
  at: number;
}

export interface SessionId {
  user: string;
  id: string;
}

/** The archive object of a session, and the places of its messages in it. */
export interface ArchiveRef {
  /** Object key. It depends on the session only. */
  key: string;
  /** ETag of the object, so that a reader notices a replaced object. */
  etag: string;
  /** Bytes of the object. */
  bytes: number;
  /** The parts that can be read separately, in order. */
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
