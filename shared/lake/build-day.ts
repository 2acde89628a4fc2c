import { createHash } from "node:crypto";
import type { ArchivedDays, ArchivedObject, ArchiveLine } from "../archive/archived-days.ts";
import { AppError } from "../errors.ts";
import { sha256 } from "../hash.ts";
import { prefetch } from "../prefetch.ts";
import { retention } from "../retention/policy.ts";
import type { ChangedDay, Lake, PartitionWriter } from "./lake.ts";
import type { LakeContent } from "./lake-content.ts";
import { type FindErasures, leaveOutErased } from "./leave-out-erased.ts";
import { createSessionRows } from "./session-rows.ts";
import { type ArchiveTable, archiveTables, tables } from "./tables.ts";

/** Maximum sessions that are sorted in memory, about 450 bytes each. A day with more sessions is listed several times. */
const MAX_SESSIONS = 300_000;

/** Objects that are opened before they are read. */
const READ_AHEAD = 24;

/** Attempts at a day whose archive objects change while it is built. */
const MAX_ATTEMPTS = 4;

/** A part of every fingerprint. Increase it when the same archive objects must give other files, such as after a change of the redaction. */
const FORMAT = 2;

/** Milliseconds for which the lake keeps messages. */
const messagesAge = (): number => retention.lakeMessages.seconds * 1000;

interface LakeSettings {
  /** Returns the hash that replaces a user in the lake. */
  pseudonym: (user: string) => string;
  content: LakeContent;
  /** @default MAX_SESSIONS */
  maxSessions?: number;
}

export interface BuildPorts {
  archived: ArchivedDays;
  lake: Lake;
  findErasures: FindErasures;
  settings: LakeSettings;
}

interface DayBuilt {
  /** Tables whose partition was written or removed. */
  changed: ArchiveTable[];
  rows: Record<ArchiveTable, number>;
  /** Epoch milliseconds at which the first messages of the partition expire; `null` = never. */
  expires: number | null;
}

type Due = Pick<ChangedDay, "day" | "aged">;

/**
 * Builds the partitions of a day from its archive objects, and skips a partition that is up to date. A partition stores the fingerprint
 * of its sources, and is published atomically, so an interrupted build changes nothing.
 *
 * A partition replaces only the version that was stored before the archive was listed. So of two builders of the same day, the one with
 * the older list fails. `messages` is published first, so for a moment it can have sessions that `session_summaries` lacks; the view
 * `messages_all` handles this. A day whose messages have only expired keeps its summaries, because they live longer than their archive
 * objects.
 */
export async function buildDay(ports: BuildPorts, due: Due, now: number): Promise<DayBuilt> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryBuild(ports, due, now);
    } catch (error) {
      if (!(error instanceof AppError && error.code === "conflict") || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

async function tryBuild(ports: BuildPorts, { day, aged }: Due, now: number): Promise<DayBuilt> {
  const { lake, settings } = ports;
  const users = await leaveOutErased(ports.findErasures);
  const archived = without(ports.archived, ({ user }) => !users.mayHave(user));
  const [messages, summaries] = await Promise.all([lake.find("messages", day), lake.find("session_summaries", day)]);
  const before = { messages, session_summaries: summaries };
  const oldest = now - messagesAge();
  const survey = await surveyDay(archived, day, settings, oldest);
  const due: readonly ArchiveTable[] = aged ? ["messages"] : archiveTables;
  const stale = due.filter((table) => (before[table]?.fingerprint ?? "") !== survey.fingerprints[table]);
  const rows = { messages: 0, session_summaries: 0 };

  const begin = <T extends ArchiveTable>(table: T): PartitionWriter<T> | undefined => {
    const fingerprint = survey.fingerprints[table];
    if (!stale.includes(table) || fingerprint === "") return undefined;
    return lake.begin(table, day, fingerprint, before[table]?.etag ?? null);
  };
  const writers = { messages: begin("messages"), session_summaries: begin("session_summaries") };
  const begun = Object.values(writers).filter((writer) => writer !== undefined);
  try {
    for (let pass = 0; begun.length > 0 && pass < survey.passes; pass++) {
      const objects = await selectObjects(archived, day, settings, survey, pass);
      const opened = prefetch(objects, READ_AHEAD, async (object) => ({ object, lines: await archived.open(object) }));
      for await (const { object, lines } of opened) await writeSession(object, lines);
    }
    for (const table of stale) {
      await users.check();
      await replace(table);
    }
  } catch (error) {
    await Promise.allSettled(begun.map((writer) => writer.abort()));
    throw error;
  }
  const expires = survey.firstArchived === null ? null : survey.firstArchived + messagesAge();
  return { changed: stale, rows, expires };

  async function writeSession(object: ArchivedObject, lines: AsyncIterable<ArchiveLine[]>): Promise<void> {
    const facts = {
      userHash: settings.pseudonym(object.user),
      archivedAt: object.archivedAt,
      content: settings.content,
    };
    let session: ReturnType<typeof createSessionRows> | undefined;
    const kept = object.archivedAt > oldest;
    for await (const batch of lines) {
      for (const line of batch) {
        if (line.type === "session") session = createSessionRows(line, facts);
        else if (session) {
          const row = session.message(line);
          if (!kept || !writers.messages) continue;
          await writers.messages.add(row);
          rows.messages++;
        }
      }
    }
    if (!session) throw new AppError("internal", "an archive object has no line of its session");
    if (!writers.session_summaries) return;
    await writers.session_summaries.add(session.summary);
    rows.session_summaries++;
  }

  async function replace(table: ArchiveTable): Promise<void> {
    const writer = writers[table];
    const stored = before[table];
    const done = writer ? await writer.commit() : stored === null || (await lake.remove(table, day, stored.etag));
    if (!done) throw new AppError("conflict", `another builder has written ${table} of ${day}`);
  }
}

/** Returns the archive without the objects that `isLeftOut` selects. */
const without = (archived: ArchivedDays, isLeftOut: (object: ArchivedObject) => boolean): ArchivedDays => ({
  ...archived,
  async *list(day) {
    for await (const object of archived.list(day)) if (!isLeftOut(object)) yield object;
  },
});

interface Survey {
  /** The fingerprint of each table's sources; empty = there are none, so there must be no partition. */
  fingerprints: Record<ArchiveTable, string>;
  /** The number of times that the day must be listed to sort all its sessions. */
  passes: number;
  /** Epoch milliseconds at which the oldest session whose messages are kept was archived. */
  firstArchived: number | null;
  /** The objects, when they fit into memory. */
  objects: ArchivedObject[] | undefined;
  /** SHA-256 of the whole list. */
  digest: string;
}

/** Lists a day's objects, and computes the fingerprints of its partitions. */
async function surveyDay(archived: ArchivedDays, day: string, settings: LakeSettings, oldest: number): Promise<Survey> {
  const most = settings.maxSessions ?? MAX_SESSIONS;
  const all = createHash("sha256");
  const kept = createHash("sha256");
  let [count, keptCount] = [0, 0];
  let firstArchived: number | null = null;
  let objects: ArchivedObject[] | undefined = [];
  for await (const object of archived.list(day)) {
    const line = lineOf(object);
    all.update(line);
    count++;
    if (object.archivedAt > oldest) {
      kept.update(line);
      keptCount++;
      firstArchived = Math.min(firstArchived ?? object.archivedAt, object.archivedAt);
    }
    if (objects && objects.length < most) objects.push(object);
    else objects = undefined;
  }
  const digest = all.digest("hex");
  const keptDigest = kept.digest("hex");
  return {
    fingerprints: {
      messages: keptCount === 0 ? "" : fingerprintOf("messages", settings, keptDigest),
      session_summaries: count === 0 ? "" : fingerprintOf("session_summaries", settings, digest),
    },
    passes: Math.max(1, Math.ceil(count / most)),
    firstArchived,
    objects,
    digest,
  };
}

const lineOf = ({ key, etag, archivedAt }: ArchivedObject): string => `${key}\n${etag}\n${archivedAt}\n`;

/** The hash of everything that a file depends on: the objects, the columns, the settings and the key of the users' hashes. */
function fingerprintOf(table: ArchiveTable, { pseudonym, content }: LakeSettings, digest: string): string {
  const { columns } = tables[table];
  const shown = columns.some((column) => "content" in column) ? content : null;
  return sha256(
    JSON.stringify([FORMAT, [columns.map(({ name, type }) => [name, type]), shown, pseudonym("")], digest]),
  );
}

/**
 * Returns the objects of one pass, sorted by user hash and key, as in the files. Each pass has an equal range of the user hashes.
 */
async function selectObjects(
  archived: ArchivedDays,
  day: string,
  { pseudonym }: LakeSettings,
  { objects, passes, digest }: Survey,
  pass: number,
): Promise<ArchivedObject[]> {
  const selected: ArchivedObject[] = objects ?? [];
  if (!objects) {
    const all = createHash("sha256");
    for await (const object of archived.list(day)) {
      all.update(lineOf(object));
      const share = Number.parseInt(pseudonym(object.user).slice(0, 8), 16) / 2 ** 32;
      if (Math.floor(share * passes) === pass) selected.push(object);
    }
    if (all.digest("hex") !== digest)
      throw new AppError("conflict", `the archive of ${day} has changed since it was listed`);
  }
  const keyed = selected.map((object) => ({ object, hash: pseudonym(object.user) }));
  keyed.sort((a, b) => compare(a.hash, b.hash) || compare(a.object.key, b.object.key));
  return keyed.map(({ object }) => object);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
