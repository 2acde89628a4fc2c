import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { EventStore } from "../events/event.ts";
import { type FileDependencies, listFiles } from "../files/manage-files.ts";
import { toMemory } from "../memory/memory.ts";
import type { MemoryReader } from "../memory/memory-store.ts";
import { listMemories } from "../memory/read-memories.ts";
import { listMessages } from "../session/list-messages.ts";
import { positionOf, toMessage } from "../session/message.ts";
import { showSession } from "../session/read-session.ts";
import type { Session } from "../session/schema.ts";
import { type SessionId, type SessionRecord, toSession } from "../session/session.ts";
import type { Stores } from "../session/store.ts";
import { isOn, LINEAR, pathOf } from "../session/tree.ts";
import {
  type Counts,
  contentPath,
  type FileLine,
  type Series,
  toEventLine,
  toGivenLine,
  toMessageLine,
  toSessionLine,
  toStateLine,
} from "./export-format.ts";
import { messageSection, sessionHeading } from "./readable.ts";

/** Maximum number of messages per page. A page also ends at `MAX_PAGE_BYTES`. */
const PAGE = 500;
/** Sessions that are read at the same time. */
const PARALLEL = 8;
/** Attempts to read a session that changes meanwhile. The export uses the result of the last attempt although the session has changed. */
const ATTEMPTS = 3;

/** Where the collection continues. */
export interface Cursor {
  section: keyof typeof sections;
  /** The id of the last file, session, memory or event that is collected. */
  after?: string;
  /** A session that is collected in part, and the position of its last message that is. */
  inside?: { id: string; position: string };
}

export const START: Cursor = { section: "files" };

/** The result of one step of the collection, and the cursor after it. */
export interface Piece {
  lines: [Series, string][];
  contents: { path: string; content: Uint8Array }[];
  counts: Partial<Counts>;
  next: Cursor | null;
}

export interface CollectPorts {
  stores: Pick<Stores, "sessions" | "messages" | "archive" | "clock">;
  files: Pick<FileDependencies, "files" | "objects" | "sessions" | "clock">;
  memories: Pick<MemoryReader, "list" | "find" | "summary">;
  events: Pick<EventStore, "ofUser">;
  clock: Clock;
}

/**
 * Collects all data of a user, starting at a cursor. Each session has the state in which it was read; later writes may be missing.
 * Sessions are in the order of their ids, because no write changes this order.
 */
export async function* collect(ports: CollectPorts, user: string, cursor: Cursor): AsyncGenerator<Piece> {
  const names = Object.keys(sections) as Cursor["section"][];
  for (const section of names.slice(names.indexOf(cursor.section))) {
    yield* sections[section](ports, user, section === cursor.section ? cursor : { section });
    const following = names[names.indexOf(section) + 1];
    yield { ...EMPTY, next: following === undefined ? null : { section: following } };
  }
}

const EMPTY = { lines: [], contents: [], counts: {} };

const sections = { files: collectFiles, sessions: collectSessions, memories: collectMemories, events: collectEvents };

async function* collectFiles({ files }: CollectPorts, user: string, { after }: Cursor): AsyncGenerator<Piece> {
  for (let last = after, more = true; more; ) {
    const page = await listFiles(files, user, { limit: 100, after: last });
    for (const file of page.files.filter(({ status }) => status === "ready")) {
      const { id, filename, media_type, bytes, sha256, created_at, session } = file;
      const next = { section: "files", after: id } as const;
      const content = await files.objects.read(file).catch(nullIfDeleted);
      if (!content) continue;
      const path = contentPath(file);
      const about = { id, filename, media_type, bytes, ...(sha256 && { sha256 }), created_at };
      const line: FileLine = { ...about, ...(session && { session_id: session }), path };
      yield { lines: [["files", toLine(line)]], contents: [{ path, content }], counts: { files: 1 }, next };
    }
    last = page.last;
    more = last !== undefined;
  }
}

async function* collectSessions(ports: CollectPorts, user: string, cursor: Cursor): AsyncGenerator<Piece> {
  const { inside, after = "" } = cursor;
  const ids = (await sessionIds(ports, user)).filter((id) => id > (inside?.id ?? after));
  if (inside) yield* restOf(ports, { user, id: inside.id }, inside.position);
  while (ids.length > 0) {
    const group = ids.splice(0, PARALLEL);
    const pages = await Promise.all(group.map((id) => firstPage(ports, { user, id }).catch(nullIfDeleted)));
    for (const [n, id] of group.entries()) {
      const page = pages[n];
      if (!page) continue;
      yield page;
      if (page.next?.inside) yield* restOf(ports, { user, id }, page.next.inside.position);
    }
  }
}

/**
 * Finds the ids of all sessions, sorted. They take about 100 bytes each in memory. A session that TTL has deleted is listed only after the
 * archiver has written its stub; until then its anchor lists it. The anchor moves in its index when the stub is written, and the query can
 * miss it, so the list is read once more at the end.
 */
async function sessionIds({ stores }: CollectPorts, user: string): Promise<string[]> {
  const ids = new Set<string>();
  await addListed(stores, user, ids);
  for await (const page of stores.sessions.all(user)) for (const { id } of page) ids.add(id);
  await addListed(stores, user, ids);
  return [...ids].sort();
}

async function addListed(stores: CollectPorts["stores"], user: string, ids: Set<string>): Promise<void> {
  const query = { status: "all", order: "asc", limit: 500, now: stores.clock() } as const;
  for (let after: { updated_at: string; id: string } | undefined, more = true; more; ) {
    const page = await stores.sessions.list(user, { ...query, ...(after && { after }) });
    // A write moves its session to the end of this list, so a session may come twice.
    for (const { id } of page.records) ids.add(id);
    after = page.records.at(-1);
    more = page.more;
  }
}

/** Reads a session with its first messages. Throws `not_found`. */
async function firstPage({ stores }: CollectPorts, session: SessionId): Promise<Piece> {
  for (let attempt = 1; ; attempt++) {
    const record = await showSession(stores, session);
    const { lines, counts, next } = await pageOf(stores, session, record, undefined);
    const shown = toSession(record, stores.clock());
    // If this page has all messages, their number must be that of the session. Otherwise a write came between the two reads: read again.
    if (!next.inside && counts.messages !== shown.message_count && attempt < ATTEMPTS) continue;
    return {
      lines: [...headingLines(shown), ...lines],
      contents: [],
      counts: { sessions: 1, ...counts },
      next,
    };
  }
}

function headingLines(session: Session): Piece["lines"] {
  return [
    ["sessions", toLine(toSessionLine(session))],
    ["states", toLine(toStateLine(session))],
    ["conversations", sessionHeading(session)],
  ];
}

/** Reads the messages of a long session after its first page. Ends early if the session is deleted meanwhile. */
async function* restOf({ stores }: CollectPorts, session: SessionId, position: string): AsyncGenerator<Piece> {
  for (let after: string | undefined = position; after !== undefined; ) {
    const record = await showSession(stores, session).catch(nullIfDeleted);
    const page: Awaited<ReturnType<typeof pageOf>> | null =
      record && (await pageOf(stores, session, record, after).catch(nullIfDeleted));
    if (!page) return;
    yield { ...page, contents: [] };
    after = page.next.inside?.position;
  }
}

async function pageOf(
  stores: CollectPorts["stores"],
  session: SessionId,
  record: SessionRecord,
  after: string | undefined,
) {
  const query = { order: "asc", branch: "all", limit: PAGE, after } as const;
  const { messages, more } = await listMessages(stores, session, query);
  const path = pathOf(await treeOf(stores, session, record));
  const last = messages.at(-1);
  const next: Cursor = { section: "sessions", after: session.id };
  if (more && last) next.inside = { id: session.id, position: positionOf(last) };
  const lines = messages.flatMap((message): Piece["lines"] => {
    const shown = toMessage(message, session.id);
    const given = toGivenLine(shown);
    return [
      ["sessions", toLine(toMessageLine(shown))],
      ["conversations", messageSection(shown, isOn(path, message))],
      ...(given ? [["states", toLine(given)] as [Series, string]] : []),
    ];
  });
  return { lines, counts: { messages: messages.length }, next };
}

async function treeOf({ messages }: Pick<Stores, "messages">, session: SessionId, record: SessionRecord) {
  if (record.archive) return record.archive.tree ?? LINEAR;
  return record.branch === undefined ? LINEAR : messages.tree(session, record.generation);
}

async function* collectMemories({ memories }: CollectPorts, user: string, { after }: Cursor): AsyncGenerator<Piece> {
  for (let last = after, more = true; more; ) {
    const page = await listMemories(memories, user, { limit: 100, after: last });
    last = page.last;
    more = last !== undefined;
    const lines = page.records.map((record): [Series, string] => ["memories", toLine(toMemory(record))]);
    const next: Cursor = { section: "memories", ...(last && { after: last }) };
    if (more) yield { lines, contents: [], counts: { memories: lines.length }, next };
    else yield { lines, contents: [], counts: { memories: lines.length }, next: { section: "events" } };
  }
}

async function* collectEvents({ events }: CollectPorts, user: string, { after }: Cursor): AsyncGenerator<Piece> {
  for await (const { events: page, last } of events.ofUser(user, after)) {
    const lines = page.map((event): [Series, string] => ["events", toLine(toEventLine(event))]);
    yield { lines, contents: [], counts: { events: lines.length }, next: { section: "events", after: last } };
  }
}

const toLine = (value: object): string => `${JSON.stringify(value)}\n`;

/** Turns `not_found` into null, because things that were deleted since they were listed are not exported. */
function nullIfDeleted(error: unknown): null {
  if (error instanceof AppError && error.code === "not_found") return null;
  throw error;
}
