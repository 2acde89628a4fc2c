import { zstdDecompressSync } from "node:zlib";
import { type FileMetaData, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import pMap from "p-map";
import type { Lake } from "../lake/lake.ts";
import { nameOf as archivedName } from "../lake/leave-out-erased.ts";
import { type Column, type Row, tables } from "../lake/tables.ts";
import type { Version, Versions } from "./erase-objects.s3.ts";
import type { Eraser } from "./erasure.ts";

/** Files that are searched at the same time. */
const PARALLEL = 8;

/** The tables that have rows of users. */
const TABLES = ["messages", "session_summaries", "events"] as const;
type Table = (typeof TABLES)[number];

const compressors = { ZSTD: (page: Uint8Array) => zstdDecompressSync(page) };

interface Found {
  table: Table;
  day: string;
  version: Version;
}

/**
 * Erases the rows of users from the lake without waiting for its next build. It writes a partition again without the user's rows, and keeps
 * the rows of others, also those whose sources have expired. The next build of the day gives the same rows. It deletes older versions that
 * have rows of the user. Erasures of several users run one after the other, because two that replace the same partition at the same time
 * would repeat each other's work.
 */
export function createLakeEraser(
  versions: Versions,
  lake: Lake,
  pseudonym: (user: string) => string,
): (user: string) => Eraser {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
  return (user) => {
    const { search, erase } = eraseRows(versions, lake, pseudonym, user);
    return {
      search: (isFinal) => inTurn(() => search(isFinal)),
      erase: (isFinal, isOver) => inTurn(() => erase(isFinal, isOver)),
    };
  };
}

function eraseRows(versions: Versions, lake: Lake, pseudonym: (user: string) => string, user: string): Eraser {
  const hash = pseudonym(archivedName(user));
  /** Versions without rows of the user. They are not searched again, because a version never changes (the local S3 has no versions). */
  const clean = new Set<string>();
  let found: Found[] = [];

  return {
    async search() {
      let rows = 0;
      found = [];
      const all = await Promise.all(
        TABLES.map(async (table) => (await versions.list(`lake/${table}/`)).map((version) => ({ table, version }))),
      );
      await pMap(
        all.flat().filter(({ version }) => version.bytes > 0 && !clean.has(nameOf(version))),
        async ({ table, version }) => {
          const count = await countRows(version);
          if (count > 0) found.push({ table, version, day: /dt=([^/]+)/.exec(version.key)?.[1] ?? "" });
          else if (version.id !== "null") clean.add(nameOf(version));
          rows += count;
        },
        { concurrency: PARALLEL },
      );
      return { "rows of the lake": rows };
    },

    async erase(_isFinal, isOver) {
      for (const { table, day, version } of found) {
        if (isOver()) return false;
        if (version.isLatest && !(await rewrite(table, day, version))) continue;
        // The rewrite keeps the old version in S3: delete it. The local S3 has no versions (id "null"), so there it is replaced.
        if (version.id !== "null" || !version.isLatest) await versions.remove(version);
      }
      return true;
    },
  };

  async function countRows(version: Version): Promise<number> {
    const file = fileOf(version);
    const metadata = await parquetMetadataAsync(file);
    let count = 0;
    for (const [rowStart, rowEnd] of groupsWith(metadata, hash)) {
      const rows = await parquetReadObjects({ file, metadata, compressors, columns: ["user_hash"], rowStart, rowEnd });
      count += rows.filter(({ user_hash }) => user_hash === hash).length;
    }
    return count;
  }

  /** Writes a partition without the rows of the user. Returns false when another writer has replaced it since the search. */
  async function rewrite(table: Table, day: string, version: Version): Promise<boolean> {
    const stored = await lake.find(table, day);
    if (!stored) return true;
    // Never replace a newer version by the rows of an older one, because they can contain users who were erased since.
    if (stored.etag !== version.etag) return false;
    const file = fileOf(version);
    const metadata = await parquetMetadataAsync(file);
    const writer = lake.begin(table, day, stored.fingerprint, stored.etag);
    let kept = 0;
    try {
      for (const [rowStart, rowEnd] of groupsOf(metadata)) {
        for (const row of await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd })) {
          if (row.user_hash === hash) continue;
          await writer.add(toRow(table, row));
          kept++;
        }
      }
      if (kept > 0) return await writer.commit();
    } catch (error) {
      await writer.abort();
      throw error;
    }
    await writer.abort();
    return lake.remove(table, day, stored.etag);
  }

  function fileOf(version: Version) {
    return {
      byteLength: version.bytes,
      async slice(start: number, end = version.bytes) {
        const bytes = await versions.read(version, start, end);
        return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
      },
    };
  }
}

const nameOf = ({ key, id }: Version): string => `${key}?${id}`;

type Rows = [start: number, end: number];

function groupsOf({ row_groups }: FileMetaData): Rows[] {
  let start = 0;
  return row_groups.map(({ num_rows }) => {
    const rows: Rows = [start, start + Number(num_rows)];
    [, start] = rows;
    return rows;
  });
}

/** Returns the row groups that may contain the user, according to the statistics of the column. */
function groupsWith(metadata: FileMetaData, hash: string): Rows[] {
  return groupsOf(metadata).filter((_rows, n) => {
    const column = metadata.row_groups[n]?.columns.find(
      ({ meta_data }) => meta_data?.path_in_schema[0] === "user_hash",
    );
    const { min_value, max_value } = column?.meta_data?.statistics ?? {};
    return (
      min_value === undefined || max_value === undefined || (String(min_value) <= hash && hash <= String(max_value))
    );
  });
}

/** Converts a row to the writer's format. Columns that files of earlier versions lack become null. */
function toRow<T extends Table>(table: T, row: Record<string, unknown>): Row<T> {
  const columns: readonly Column[] = tables[table].columns;
  return Object.fromEntries(
    columns.map(({ name, type }) => {
      const value = row[name] ?? null;
      return [name, type === "timestamp" && value !== null ? Number(value) : value];
    }),
  ) as Row<T>;
}
