import { createReadStream, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { parquetReadObjects } from "hyparquet";
import { openZip } from "../../../infra/cli/import/read/open-zip.ts";

const MARK = /qz(\d{5})q(\d{3})z/g;

/** Bytes of a database that are scanned at once. A text cannot have more than 512 MB. */
const PIECE = 64_000_000;

/** Fields by their number in marks. The first is the id of the user. */
const fields = ["id of the user"];

/** The mark of a user's field. It has a form that ids, names of files and media types may have, too. */
export function markOf(user: number, field: string): string {
  if (!fields.includes(field)) fields.push(field);
  return `qz${String(user).padStart(5, "0")}q${String(fields.indexOf(field)).padStart(3, "0")}z`;
}

export const userIdOf = (user: number): string => markOf(user, "id of the user");

/** What a mark stands for. */
interface Marked {
  user: number;
  field: string;
}

/** How often each mark occurs, by the place where it was found. */
export type Found = Map<string, Map<string, number>>;

/** Reads a mark of `Found`. */
export function readMark(mark: string): Marked {
  const [, user = "", field = ""] = new RegExp(MARK.source).exec(mark) ?? [];
  return { user: Number(user), field: fields[Number(field)] ?? "?" };
}

/**
 * Searches every file of a data directory, whose host must not run, byte by byte. Databases are emptied of deleted rows first, and their
 * values are searched, too, because a row can be split in the file. Objects are unpacked.
 */
export async function findMarks(data: string): Promise<Found> {
  const found: Found = new Map();
  const scan = (place: string, bytes: Uint8Array | string) => {
    const text =
      typeof bytes === "string" ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    const marks = found.get(place) ?? new Map<string, number>();
    for (const [mark] of text.matchAll(MARK)) marks.set(mark, (marks.get(mark) ?? 0) + 1);
    found.set(place, marks);
  };
  const databases = filesOf(data).filter((file) => file.endsWith(".sqlite"));
  for (const file of databases) scanDatabase(file, scan);
  for (const file of filesOf(data)) {
    const relative = path.relative(data, file);
    if (databases.includes(file)) await scanBytes(file, (bytes) => scan("bytes of the databases", bytes));
    else if (relative.startsWith(path.join("s3", "objects"))) await scanObject(file, readFileSync(file), scan);
    else if (relative.endsWith(".log")) await scanLog(file, scan);
    else scan("other files", readFileSync(file));
  }
  return found;
}

type Scan = (place: string, bytes: Uint8Array | string) => void;

/** Scans a file of any size in pieces. A mark that two pieces share is in the second one, too. */
async function scanBytes(file: string, scan: (bytes: Uint8Array) => void): Promise<void> {
  let rest = Buffer.alloc(0);
  for await (const piece of createReadStream(file, { highWaterMark: PIECE })) {
    const bytes = Buffer.concat([rest, piece as Buffer]);
    scan(bytes);
    // One byte less than a mark, so that no mark is found twice.
    rest = bytes.subarray(-(markOf(0, "id of the user").length - 1));
  }
}

export const ACCESS_LOGS = "access logs of S3";

/** The log of the host. Its lines of calls to S3 stand for S3's access logs. The paths that it shows of requests are in no log of AWS. */
async function scanLog(file: string, scan: Scan): Promise<void> {
  for await (const line of createInterface({ input: createReadStream(file, "latin1") })) {
    if (/^[\d:.]+ \S*s3 /.test(line)) scan(ACCESS_LOGS, line);
    else scan("logs", line.replace(/^([\d:.]+ [A-Z]+ \S+) \(\S+\)/, "$1"));
  }
}

function scanDatabase(file: string, scan: Scan): void {
  const db = new DatabaseSync(file);
  try {
    db.exec("PRAGMA wal_checkpoint(TRUNCATE); VACUUM");
    const names = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    for (const name of names.map((row) => String(row.name))) {
      const place = placeOf(path.basename(path.dirname(file)), name);
      for (const row of db.prepare(`SELECT * FROM "${name}"`).iterate()) {
        for (const value of Object.values(row)) {
          if (typeof value === "string" || value instanceof Uint8Array) scan(place, value);
        }
      }
    }
  } finally {
    db.close();
  }
}

function placeOf(directory: string, table: string): string {
  if (directory === "s3") return "keys of objects";
  if (directory === "sqs") return "queues";
  if (table === "_stream_records") return "stream records";
  return table.includes("::") ? "indexes of tables" : "items of tables";
}

async function scanObject(file: string, bytes: Buffer, scan: Scan): Promise<void> {
  const start = bytes.toString("latin1", 0, 4);
  if (start.startsWith("\x1f\x8b")) return scan("objects: gzip (archive)", gunzipSync(bytes));
  if (start === "PAR1") {
    const place = "objects: Parquet (lake)";
    scan(place, bytes);
    const compressors = { ZSTD: (page: Uint8Array) => zstdDecompressSync(page) };
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    for (const row of await parquetReadObjects({ file: buffer, compressors })) scan(place, JSON.stringify(row, plain));
    return;
  }
  scan(start === "PK\x03\x04" ? "objects: zip (exports)" : "objects: other (files)", bytes);
  if (start !== "PK\x03\x04") return;
  const { entries, close } = await openZip(file);
  for (const { name, open } of entries) {
    const pieces: Uint8Array[] = [];
    for await (const piece of open()) pieces.push(piece as Uint8Array);
    scan("objects: zip (exports)", name);
    scan("objects: zip (exports)", Buffer.concat(pieces));
  }
  close();
}

const plain = (_name: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value);

function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}
