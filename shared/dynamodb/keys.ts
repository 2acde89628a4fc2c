import { fnv1aOfCodePoints } from "../hash.ts";

/**
 * The keys of the table `conversations`. A session is one partition. Its sort keys are, in their order:
 *
 *   A                                   anchor: exists as long as the session does, hot or archived
 *   D#<generation>                      tombstone of a deleted session whose id was used again
 *   E#<memory id>                       memory, or the id of a forgotten one
 *   F#<file id>#<generation>#<message id>  use of a file by a message
 *   I#<generation>#<message id>         message id that a client chose, so that the message is stored once
 *   L#<generation>#<message id>         what a running turn has said so far
 *   M#<generation>#<created_at>#<id>    message
 *   T#<generation>                      tree of branches, if there are several
 *   Z                                   header, or the archived stub in its place
 *
 * One descending Query returns the header and the newest messages. A *generation* is one hot copy of the messages: a reset or
 * a restore writes a new one, and the old one is invisible before it is deleted. An id never gets the same generation twice,
 * also when the session is deleted and created again.
 */
export const ANCHOR = "A";
export const HEADER = "Z";

/** Digits of a generation in a key. Sessions of earlier versions began at generation 1, written with six digits. */
const GENERATION_DIGITS = 10;
const EARLIER_DIGITS = 6;

/** Partitions of the index of due sessions, and of the counter of active sessions. */
const SHARDS = 16;

export interface Key {
  pk: string;
  sk: string;
}

// `#` separates the parts of a key, so a part must not contain it.
const escaped = (part: string): string => part.replaceAll("%", "%25").replaceAll("#", "%23");

export function userKey(user: string): string {
  return `U#${escaped(user)}`;
}

export function sessionKey(user: string, session: string): string {
  return `${userKey(user)}#S#${escaped(session)}`;
}

export function headerKey(user: string, session: string): Key {
  return { pk: sessionKey(user, session), sk: HEADER };
}

export function anchorKey(user: string, session: string): Key {
  return { pk: sessionKey(user, session), sk: ANCHOR };
}

const digits = (generation: number): string =>
  String(generation).padStart(generation < 10 ** EARLIER_DIGITS ? EARLIER_DIGITS : GENERATION_DIGITS, "0");

const TOMBSTONE_PREFIX = "D#";

export function tombstoneKey(user: string, session: string, generation: number): Key {
  return { pk: sessionKey(user, session), sk: TOMBSTONE_PREFIX + digits(generation) };
}

/** Sort keys of all messages of a generation start with this. */
export function messagePrefix(generation: number): string {
  return `M#${digits(generation)}#`;
}

const messageIdPrefix = (generation: number): string => `I#${digits(generation)}#`;

/** `position` orders the messages of a session: `<created_at>#<id>`. */
export function messageKey(user: string, session: string, generation: number, position: string): Key {
  return { pk: sessionKey(user, session), sk: messagePrefix(generation) + position };
}

export function messageIdKey(user: string, session: string, generation: number, id: string): Key {
  return { pk: sessionKey(user, session), sk: messageIdPrefix(generation) + id };
}

export function liveTextKey(user: string, session: string, generation: number, id: string): Key {
  return { pk: sessionKey(user, session), sk: `L#${digits(generation)}#${id}` };
}

export const TREE_PREFIX = "T#";

export function treeKey(user: string, session: string, generation: number): Key {
  return { pk: sessionKey(user, session), sk: TREE_PREFIX + digits(generation) };
}

/** Reads the generation and the position in a message's sort key. Other keys have something else after the generation, or nothing. */
export function parseMessageKey(sk: string): { generation: number; position: string } {
  const [, generation = "", ...position] = sk.split("#");
  return { generation: Number(generation), position: position.join("#") };
}

export const MEMORY_PREFIX = "E#";

export function memoryKey(user: string, session: string, id: string): Key {
  return { pk: sessionKey(user, session), sk: MEMORY_PREFIX + id };
}

/** The statistics of a user's memories, and the forgotten ones. */
export function memorySummaryKey(user: string): Key {
  return { pk: userKey(user), sk: "E" };
}

export const FILE_PREFIX = "F#";

/** The files of a user are one partition. File ids are time-ordered, so a query returns the files by age. */
export function filesPartition(user: string): string {
  return `${userKey(user)}#F`;
}

export function fileKey(user: string, id: string): Key {
  return { pk: filesPartition(user), sk: FILE_PREFIX + id };
}

/** The uses of one file in a session start with this. */
export function fileUsePrefix(file: string): string {
  return `${FILE_PREFIX}${file}#`;
}

/** A use by a message that was stored in this generation of its session. */
export function fileUseKey(user: string, session: string, use: FileUseName): Key {
  return {
    pk: sessionKey(user, session),
    sk: `${fileUsePrefix(use.file)}${digits(use.generation)}#${use.message}`,
  };
}

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

/** The item that `/health` writes to find out whether the table takes writes. */
export const writeProbeKey: Key = { pk: "C#write_probe", sk: "probe" };

/** The item that names the vector indexes in use. */
export const memoryLayoutKey: Key = { pk: "C#memories", sk: "layout" };

/** Reads the generation in a tombstone's sort key; empty for other keys. */
export function parseTombstoneKey(sk: string): { tombstone?: number } {
  return sk.startsWith(TOMBSTONE_PREFIX) ? { tombstone: Number(sk.slice(TOMBSTONE_PREFIX.length)) } : {};
}

/** Reads the user and the session in a partition key. */
export function parseSessionKey(pk: string): { user: string; id: string } {
  const [, user = "", , id = ""] = pk.split("#");
  return { user: decodeURIComponent(user), id: decodeURIComponent(id) };
}

/** The idempotency records of a user are one partition, so that an erasure finds them. */
export function idempotencyPartition(user: string): string {
  return `${userKey(user)}#K`;
}

/** The record of a request with an `Idempotency-Key`; `digest` is the hash of that key. */
export function idempotencyKey(user: string, digest: string): Key {
  return { pk: idempotencyPartition(user), sk: `K#${digest}` };
}

/** What a user has chosen, and whether an erasure of the user's data runs. */
export function personKey(user: string): Key {
  return { pk: userKey(user), sk: "P" };
}

/** The receipt of an erasure. It names no user. */
export function receiptKey(id: string): Key {
  return { pk: `X#${id}`, sk: "X" };
}

/** The erasures that are not over, one item each. They name their users. */
export const openErasures = "X#open";

export function openErasureKey(id: string): Key {
  return { pk: openErasures, sk: id };
}

/** The usage of a user: requests and tokens. */
export function limitsKey(user: string): Key {
  return { pk: `${userKey(user)}#L`, sk: "L" };
}

/** The exports of a user are one partition of the table `exports`. */
export function exportsPartition(user: string): string {
  return `${userKey(user)}#X`;
}

export function exportKey(user: string, id: string): Key {
  return { pk: exportsPartition(user), sk: `X#${id}` };
}

/** The item that names the latest export of a user. */
export function latestExportKey(user: string): Key {
  return { pk: exportsPartition(user), sk: "X" };
}

/** The state of an LLM provider that all instances share; `provider` is its host. */
export function providerKey(provider: string, what: "breaker" | "queue"): Key {
  return { pk: `P#${provider}`, sk: what };
}

const ACTIVE_SESSIONS = "C#active_sessions";

export function counterKey(shard: string): Key {
  return { pk: ACTIVE_SESSIONS, sk: shard };
}

export const counterPartition = ACTIVE_SESSIONS;

/** The days whose lake partitions must be built, one item per day. */
export const lakeDays = "L#days";

/** The item that holds the settings with which the lake's days are built. */
export const lakeBasisKey: Key = { pk: "L#basis", sk: "basis" };

export function lakeDayKey(day: string): Key {
  return { pk: lakeDays, sk: day };
}

/** Spreads sessions over shards by a hash of their key. */
export function shardOf(user: string, session: string): string {
  return String(fnv1aOfCodePoints(sessionKey(user, session)) % SHARDS).padStart(2, "0");
}

export const shards: readonly string[] = Array.from({ length: SHARDS }, (_, n) => String(n).padStart(2, "0"));
