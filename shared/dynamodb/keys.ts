import { fnv1aOfCodePoints } from "../hash.ts";

/**
 * The keys of the table `conversations`, in one place. A session is one partition; within it the sort keys order
 *
 *   A                                   anchor: exists as long as the session does, wherever its messages are
 *   D#<generation>                      tombstone of a deleted session whose id is in use again
 *   E#<memory id>                       memory, or the name of one that was forgotten
 *   F#<file id>#<generation>#<message id>  use of a file: the message names it
 *   I#<generation>#<message id>         a message id that a client chose, so that it is stored once
 *   L#<generation>#<message id>         what a running turn has said so far
 *   M#<generation>#<created_at>#<id>    message
 *   Z                                   header, or the archived stub in its place
 *
 * so that one descending Query returns the header and the newest messages. A *generation* is one hot copy of the
 * messages: a reset or a restore writes a new one, which makes the old one invisible before it is deleted. The same
 * generation is never given out twice for an id, also when the session is deleted and created again.
 */
export const ANCHOR = "A";
export const HEADER = "Z";

/** Digits of a generation in a key. Sessions made by earlier versions began at generation 1, written with six digits. */
const GENERATION_DIGITS = 10;
const EARLIER_DIGITS = 6;

/** How many partitions the index of due sessions and the counter of active ones are spread over. */
const SHARDS = 16;

export interface Key {
  pk: string;
  sk: string;
}

// `#` separates the parts of a key, so it may not stand inside one.
const escaped = (part: string): string => part.replaceAll("%", "%25").replaceAll("#", "%23");

export const userKey = (user: string): string => `U#${escaped(user)}`;
export const sessionKey = (user: string, session: string): string => `${userKey(user)}#S#${escaped(session)}`;

export const headerKey = (user: string, session: string): Key => ({ pk: sessionKey(user, session), sk: HEADER });
export const anchorKey = (user: string, session: string): Key => ({ pk: sessionKey(user, session), sk: ANCHOR });

const digits = (generation: number): string =>
  String(generation).padStart(generation < 10 ** EARLIER_DIGITS ? EARLIER_DIGITS : GENERATION_DIGITS, "0");

const TOMBSTONE_PREFIX = "D#";

export const tombstoneKey = (user: string, session: string, generation: number): Key => ({
  pk: sessionKey(user, session),
  sk: TOMBSTONE_PREFIX + digits(generation),
});

/** All messages of a generation start with this. */
export const messagePrefix = (generation: number): string => `M#${digits(generation)}#`;
const messageIdPrefix = (generation: number): string => `I#${digits(generation)}#`;

/** `position` orders the messages of a session: `<created_at>#<id>`. */
export const messageKey = (user: string, session: string, generation: number, position: string): Key => ({
  pk: sessionKey(user, session),
  sk: messagePrefix(generation) + position,
});

export const messageIdKey = (user: string, session: string, generation: number, id: string): Key => ({
  pk: sessionKey(user, session),
  sk: messageIdPrefix(generation) + id,
});

export const liveTextKey = (user: string, session: string, generation: number, id: string): Key => ({
  pk: sessionKey(user, session),
  sk: `L#${digits(generation)}#${id}`,
});

/** Generation and position in a message's sort key. */
export function parseMessageKey(sk: string): { generation: number; position: string } {
  const start = "M#".length;
  const end = sk.indexOf("#", start);
  return { generation: Number(sk.slice(start, end)), position: sk.slice(end + 1) };
}

export const MEMORY_PREFIX = "E#";

export const memoryKey = (user: string, session: string, id: string): Key => ({
  pk: sessionKey(user, session),
  sk: MEMORY_PREFIX + id,
});

/** What is known of all memories of a user. */
export const memorySummaryKey = (user: string): Key => ({ pk: userKey(user), sk: "E" });

export const FILE_PREFIX = "F#";

/** A user's files are one partition. Their ids are time-ordered, so it lists them by age. */
export const filesPartition = (user: string): string => `${userKey(user)}#F`;
export const fileKey = (user: string, id: string): Key => ({ pk: filesPartition(user), sk: FILE_PREFIX + id });

/** The uses of one file in a session start with this. */
export const fileUsePrefix = (file: string): string => `${FILE_PREFIX}${file}#`;

/** A use by a message that was stored in this generation of its session. */
export const fileUseKey = (user: string, session: string, use: FileUseName): Key => ({
  pk: sessionKey(user, session),
  sk: `${fileUsePrefix(use.file)}${digits(use.generation)}#${use.message}`,
});

/** The ids of a file and of a message that names it, and the generation in which the message was stored. */
interface FileUseName {
  file: string;
  generation: number;
  message: string;
}

export function parseFileUseKey(sk: string): FileUseName {
  const [, file = "", generation, message = ""] = sk.split("#");
  return { file, generation: Number(generation), message };
}

/** What is written to see whether the table takes writes. */
export const writeProbeKey: Key = { pk: "C#write_probe", sk: "probe" };

/** Where the vectors of all memories are. */
export const memoryLayoutKey: Key = { pk: "C#memories", sk: "layout" };

/** The generation in a tombstone's sort key; nothing of another key. */
export const parseTombstoneKey = (sk: string): { tombstone?: number } =>
  sk.startsWith(TOMBSTONE_PREFIX) ? { tombstone: Number(sk.slice(TOMBSTONE_PREFIX.length)) } : {};

/** User and session in a partition key. */
export function parseSessionKey(pk: string): { user: string; id: string } {
  const [, user = "", , id = ""] = pk.split("#");
  return { user: decodeURIComponent(user), id: decodeURIComponent(id) };
}

/** The request that a user named by an `Idempotency-Key`; `digest` is the key's hash. */
export const idempotencyKey = (user: string, digest: string): Key => ({ pk: `${userKey(user)}#K#${digest}`, sk: "K" });

/** What a user has used, and may use. */
export const limitsKey = (user: string): Key => ({ pk: `${userKey(user)}#L`, sk: "L" });

/** What all instances know of a provider of models; `provider` is its host. */
export const providerKey = (provider: string, what: "breaker" | "queue"): Key => ({ pk: `P#${provider}`, sk: what });

const ACTIVE_SESSIONS = "C#active_sessions";
export const counterKey = (shard: string): Key => ({ pk: ACTIVE_SESSIONS, sk: shard });
export const counterPartition = ACTIVE_SESSIONS;

/** Days whose partitions of the lake have to be built, one item each. */
export const lakeDays = "L#days";
export const lakeDayKey = (day: string): Key => ({ pk: lakeDays, sk: day });

/** Spreads sessions over shards by a hash of their key. */
export function shardOf(user: string, session: string): string {
  return String(fnv1aOfCodePoints(sessionKey(user, session)) % SHARDS).padStart(2, "0");
}

export const shards: readonly string[] = Array.from({ length: SHARDS }, (_, n) => String(n).padStart(2, "0"));
