import { createHash } from "node:crypto";
import type { SessionLine } from "../archive/format.ts";
import { AppError } from "../errors.ts";
import { prefetch } from "../prefetch.ts";
import { retention } from "../retention/policy.ts";
import type { ArchivedDays, ArchivedObject, ArchiveLine, ChangedDay, Lake, PartitionWriter } from "./lake.ts";
import { createSessionRows } from "./rows.ts";
import { type ArchiveTable, archiveTables, tables } from "./tables.ts";

/** Sessions of a day that are sorted in memory at once, about 450 bytes each; a day of more is listed several times. */
const MAX_SESSIONS = 300_000;

/** Objects whose reading has begun before it is their turn. */
const READ_AHEAD = 24;

/** Attempts at a day whose archive objects change while it is being built. */
const MAX_ATTEMPTS = 4;

/** Grows when the same archive objects are to give other files. */
const FORMAT = 2;

export interface LakeSettings {
  pseudonym: (user: string) => string;
  /** Whether columns of content are filled. */
  content: boolean;
  /** @default MAX_SESSIONS */
  maxSessions?: number;
}

export interface BuildPorts {
  archived: ArchivedDays;
  lake: Lake;
  settings: LakeSettings;
}

export interface DayBuilt {
  /** Tables whose partition was written or removed. */
  changed: ArchiveTable[];
  rows: Record<ArchiveTable, number>;
  /** Epoch milliseconds at which the partition holds something that has reached its age; `null` = never. */
  expires: number | null;
}

type Due = Pick<ChangedDay, "day" | "aged">;

/**
 * Makes the partitions of a day what the day's archive objects say, and leaves alone what is so already. What a partition was built
 * from, its fingerprint, is stored with it, so an interrupted build is simply not there. A partition only ever takes the place of the
 * version that was there before the archive was listed: of two builders at the same day, the one with the older listing loses.
 * `messages` comes first: for a moment it may have sessions that `session_summaries` lacks, which `messages_all` allows for. A day that
 * has only aged keeps its summaries: they may live longer than the archive objects that they were built from.
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

async function tryBuild({ archived, lake, settings }: BuildPorts, { day, aged }: Due, now: number): Promise<DayBuilt> {
  const [messages, summaries] = await Promise.all([lake.find("messages", day), lake.find("session_summaries", day)]);
  const before = { messages, session_summaries: summaries };
  const oldest = now - retention.lakeMessages.seconds * 1000;
  const survey = await surveyDay(archived, day, settings, oldest);
  const due: readonly ArchiveTable[] = aged ? ["messages"] : archiveTables;
  const stale = due.filter((table) => (before[table]?.fingerprint ?? "") !== survey.fingerprints[table]);
  const rows = { messages: 0, session_summaries: 0 };
  const expires = survey.firstArchived === null ? null : survey.firstArchived + retention.lakeMessages.seconds * 1000;

  const writers: { [T in ArchiveTable]?: PartitionWriter<T> } = {};
  const fresh = (table: ArchiveTable) => stale.includes(table) && survey.fingerprints[table] !== "";
  try {
    if (fresh("messages")) writers.messages = lake.begin("messages", day, survey.fingerprints.messages);
    if (fresh("session_summaries")) {
      writers.session_summaries = lake.begin("session_summaries", day, survey.fingerprints.session_summaries);
    }
    if (Object.keys(writers).length > 0) {
      for (let pass = 0; pass < survey.passes; pass++) {
        const objects = await selectObjects(archived, day, settings, survey, pass);
        for await (const { object, lines } of opened(archived, objects)) {
          await writeSession(object, lines);
        }
      }
    }
    for (const table of stale) await replace(table);
  } catch (error) {
    await Promise.allSettled(Object.values(writers).map((writer) => writer.abort()));
    throw error;
  }
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
        if (line.type === "session") session = createSessionRows(line satisfies SessionLine, facts);
        else if (session) {
          const row = session.message(line);
          if (!kept || !writers.messages) continue;
          await writers.messages.add(row);
          rows.messages++;
        }
      }
    }
    if (!session) throw new AppError("internal", `the archive object ${object.key} has no session`);
    if (!writers.session_summaries) return;
    await writers.session_summaries.add(session.summary);
    rows.session_summaries++;
  }

  async function replace(table: ArchiveTable): Promise<void> {
    const writer = writers[table];
    const there = before[table]?.etag ?? null;
    const done = writer ? await writer.commit(there) : there === null || (await lake.remove(table, day, there));
    if (!done) throw new AppError("conflict", `another builder is at ${table} of ${day}`);
  }
}

interface Survey {
  /** What each table's partition is to be built from; empty = from nothing, so there is none. */
  fingerprints: Record<ArchiveTable, string>;
  passes: number;
  /** Epoch milliseconds at which the oldest of the messages kept was archived. */
  firstArchived: number | null;
  /** The objects themselves, when there are few enough. */
  objects: ArchivedObject[] | undefined;
  /** Of the whole listing. */
  digest: string;
}

/** What a day's objects amount to, read in one listing. */
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
  const fingerprint = (table: ArchiveTable, n: number, of: string) =>
    n === 0
      ? ""
      : createHash("sha256")
          .update(JSON.stringify([FORMAT, configured(table, settings), of]))
          .digest("hex");
  return {
    fingerprints: {
      messages: fingerprint("messages", keptCount, kept.digest("hex")),
      session_summaries: fingerprint("session_summaries", count, digest),
    },
    passes: Math.max(1, Math.ceil(count / most)),
    firstArchived,
    objects,
    digest,
  };
}

const lineOf = ({ key, etag, archivedAt }: ArchivedObject): string => `${key}\n${etag}\n${archivedAt}\n`;

/** What else a file depends on: its columns, whether there is content, and the key of the users' hashes. */
const configured = (table: ArchiveTable, { pseudonym, content }: LakeSettings) => [
  tables[table].columns.map(({ name, type }) => [name, type]),
  content,
  pseudonym(""),
];

/** The objects of one pass in the order of the files: those whose users' hashes fall into its share of all hashes. */
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
    if (all.digest("hex") !== digest) throw new AppError("conflict", `the archive of ${day} has changed`);
  }
  const keyed = selected.map((object) => ({ object, hash: pseudonym(object.user) }));
  keyed.sort((a, b) => order(a.hash, b.hash) || order(a.object.key, b.object.key));
  return keyed.map(({ object }) => object);
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

async function* opened(archived: ArchivedDays, objects: readonly ArchivedObject[]) {
  yield* prefetch(objects, READ_AHEAD, async (object) => ({ object, lines: await archived.open(object) }));
}
