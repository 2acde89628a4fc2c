import { createHash } from "node:crypto";
import { createSHA256 } from "hash-wasm";
import { AppError } from "../errors.ts";
import { type CollectPorts, type Cursor, collect, type Piece, START } from "./collect.ts";
import { type Counts, FORMAT, MANIFEST, type Manifest, SETTINGS, type Series, seriesName } from "./export-format.ts";
import type { ExportRecord, ExportResult, ExportStore } from "./export-store.ts";
import { PAGE_END, PAGE_START } from "./readable.ts";
import { packFile, type ZipEntry, zipDirectory } from "./zip.ts";

/** Minimum bytes of each part of the upload but the last. S3 accepts 10,000 parts, so a zip can have at least 80 GB. */
const PART = 8 * 1024 * 1024;
/** Characters of lines after which they are packed as one file. */
const LINES = 4 * 1024 * 1024;

/** The progress of an export. Each run of the job continues from the progress that the previous run saved. */
export interface Progress {
  /** The id of the run that saved it. */
  run: string;
  /** How many times this run has saved it. */
  saves: number;
  /** The id of the multipart upload. */
  upload: string;
  /** ETags of the parts. */
  parts: string[];
  /** Bytes of the zip that are in the parts. */
  bytes: number;
  /** State of the SHA-256 of the bytes in the parts, base64. */
  hash: string;
  /** Bytes of the zip that are in no part yet, base64. */
  pending: string;
  /** Where the collection continues; `null` = everything is collected. */
  cursor: Cursor | null;
  entries: (ZipEntry & { sha256: string })[];
  /** The number of the last file of each series. */
  numbers: Partial<Record<Series, number>>;
  counts: Counts;
  /** Present when all parts are stored. */
  result?: ExportResult;
}

export type ExportPlace = Pick<ExportRecord, "user_id" | "id">;

/** The zips of exports, and the progress of those that run. */
export interface ExportObjects {
  readProgress(place: ExportPlace): Promise<{ progress: Progress; etag: string } | null>;
  /** Returns the new ETag; `null` when the stored progress does not have the ETag `etag` (`null` = no progress is stored). */
  writeProgress(place: ExportPlace, progress: Progress, etag: string | null): Promise<string | null>;
  removeProgress(place: ExportPlace): Promise<void>;
  beginUpload(place: ExportPlace): Promise<string>;
  /** Stores part `n`, from 1 on, and returns its ETag. May be repeated. */
  putPart(place: ExportPlace, upload: string, n: number, bytes: Uint8Array): Promise<string>;
  /** May be repeated. False when the upload no longer exists, or has other parts. */
  completeUpload(place: ExportPlace, upload: string, etags: readonly string[]): Promise<boolean>;
  abortUpload(place: ExportPlace, upload: string): Promise<void>;
  removeZip(place: ExportPlace): Promise<void>;
  /** A URL that serves the zip as a download. */
  sign(place: ExportPlace, filename: string, seconds: number): Promise<string>;
}

export interface BuildDependencies extends CollectPorts {
  exports: Pick<ExportStore, "find" | "end">;
  objects: ExportObjects;
  /** Today's usage of a user. */
  usage(user: string): Promise<object>;
  settings(user: string): Promise<object>;
  newId(): string;
}

/**
 * Builds the zip of an export from the saved progress until `deadline` (epoch ms). If another run begins meanwhile, that run takes over.
 * Returns "more" when another run must continue, and "over" when this export needs nothing more from this run.
 */
export async function buildExport(
  deps: BuildDependencies,
  record: ExportRecord,
  deadline: number,
): Promise<"more" | "over"> {
  const { objects, clock } = deps;
  const claimed = await claim(deps, record);
  if (!claimed) return "over";
  const { progress } = claimed;
  let { etag } = claimed;
  const zip = await openZip(progress);

  /** False = another run has taken over, or an erasure has deleted the export. */
  const save = async (): Promise<boolean> => {
    zip.save();
    progress.saves++;
    const written = await objects.writeProgress(record, progress, etag);
    // If the answer to a successful write was lost, the SDK's second attempt was refused: check whether the stored progress is this one.
    const stored = written ?? (await findOwn(objects, record, progress));
    if (stored !== null) etag = stored;
    return stored !== null;
  };
  const upload = async (): Promise<void> => {
    const etag = await objects.putPart(record, progress.upload, progress.parts.length + 1, zip.content());
    zip.addPart(etag);
  };

  if (progress.cursor) {
    for await (const piece of collect(deps, record.user_id, progress.cursor)) {
      zip.add(piece);
      const isLate = piece.next !== null && clock() >= deadline;
      if (zip.size() < PART && !isLate) continue;
      zip.packLines();
      if (zip.size() >= PART) await upload();
      if (!(await save())) return "over";
      if (isLate) return "more";
    }
  }
  if (!progress.result) {
    zip.packLines();
    const { user_id } = record;
    zip.addFile("usage.json", Buffer.from(`${JSON.stringify(await deps.usage(user_id))}\n`));
    zip.addFile(SETTINGS, Buffer.from(`${JSON.stringify(await deps.settings(user_id))}\n`));
    zip.addFile(MANIFEST, Buffer.from(`${JSON.stringify(manifestOf(record, progress), null, 2)}\n`));
    zip.addDirectory();
    await upload();
    progress.result = { bytes: progress.bytes, sha256: zip.digest(), counts: progress.counts };
    if (!(await save())) return "over";
  }
  if (!(await objects.completeUpload(record, progress.upload, progress.parts))) {
    await objects.removeProgress(record);
    throw new AppError(
      "unavailable",
      "the upload of the export no longer exists: the next run builds the export again",
      {
        retryAfter: 1,
      },
    );
  }
  // If an erasure has deleted the export meanwhile, delete the zip too.
  if (!(await deps.exports.end(record.user_id, record.id, progress.result))) await objects.removeZip(record);
  await objects.removeProgress(record);
  return "over";
}

/** Deletes the progress and the upload that an ended export has left. */
export async function cleanUp(objects: ExportObjects, place: ExportPlace): Promise<void> {
  const stored = await objects.readProgress(place);
  if (!stored) return;
  await objects.abortUpload(place, stored.progress.upload);
  await objects.removeProgress(place);
}

/** Marks the progress as this run's, so that an earlier run that is still active stops. Returns `null` when another run was faster. */
async function claim({ exports, objects, newId }: BuildDependencies, place: ExportPlace) {
  const run = newId();
  const stored = await objects.readProgress(place);
  const progress = stored
    ? { ...stored.progress, run, saves: 0 }
    : newProgress(run, await objects.beginUpload(place), (await createSHA256()).init().save());
  const etag =
    (await objects.writeProgress(place, progress, stored?.etag ?? null)) ?? (await findOwn(objects, place, progress));
  // If no progress was stored, another run may have ended the export and deleted its progress.
  const isMine = etag !== null && (stored || (await exports.find(place.user_id, place.id))?.status === "running");
  if (isMine) return { progress, etag };
  if (!stored) await objects.abortUpload(place, progress.upload);
  if (etag !== null) await objects.removeProgress(place);
  return null;
}

function newProgress(run: string, upload: string, hash: Uint8Array): Progress {
  const counts = { sessions: 0, messages: 0, memories: 0, events: 0, files: 0 };
  const empty = { saves: 0, parts: [], bytes: 0, pending: "", entries: [], numbers: {} };
  return { run, upload, hash: Buffer.from(hash).toString("base64"), cursor: START, counts, ...empty };
}

/** Returns the ETag of the stored progress if it is `progress`. */
async function findOwn(objects: ExportObjects, place: ExportPlace, { run, saves }: Progress): Promise<string | null> {
  const stored = await objects.readProgress(place);
  return stored && stored.progress.run === run && stored.progress.saves === saves ? stored.etag : null;
}

function manifestOf({ id, created_at, user_id }: ExportRecord, { counts, entries }: Progress): Manifest {
  const files = entries.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 }));
  return { ...FORMAT, id, created_at, user_id, counts, entries: files };
}

/** Collects the bytes of the zip that are in no part yet. `save` stores them in `progress`. */
async function openZip(progress: Progress) {
  const hash = (await createSHA256()).load(Buffer.from(progress.hash, "base64"));
  let pieces: Buffer[] = progress.pending === "" ? [] : [Buffer.from(progress.pending, "base64")];
  let size = pieces[0]?.length ?? 0;
  const lines = new Map<Series, string>();

  const push = (bytes: Buffer): void => {
    pieces.push(bytes);
    size += bytes.length;
  };

  const addFile = (path: string, content: Uint8Array): void => {
    const { entry, bytes } = packFile(path, content, progress.bytes + size);
    progress.entries.push({ ...entry, sha256: createHash("sha256").update(content).digest("hex") });
    for (const piece of bytes) push(piece);
  };

  const pack = (series: Series): void => {
    const text = lines.get(series);
    if (!text) return;
    lines.delete(series);
    const number = (progress.numbers[series] ?? 0) + 1;
    progress.numbers[series] = number;
    addFile(seriesName(series, number), Buffer.from(series === "conversations" ? PAGE_START + text + PAGE_END : text));
  };

  const content = (): Buffer => {
    pieces = [Buffer.concat(pieces)];
    return pieces[0] as Buffer;
  };

  return {
    size: () => size,
    content,
    addFile,
    add(piece: Piece): void {
      for (const [series, line] of piece.lines) {
        const text = (lines.get(series) ?? "") + line;
        lines.set(series, text);
        if (text.length >= LINES) pack(series);
      }
      for (const { path, content: file } of piece.contents) addFile(path, file);
      for (const [name, n] of Object.entries(piece.counts)) progress.counts[name as keyof Counts] += n;
      progress.cursor = piece.next;
    },
    packLines(): void {
      for (const series of [...lines.keys()]) pack(series);
    },
    addDirectory: () => push(zipDirectory(progress.entries, progress.bytes + size)),
    /** Notes that a part with this ETag holds everything that was added so far. */
    addPart(etag: string): void {
      hash.update(content());
      progress.parts.push(etag);
      progress.bytes += size;
      pieces = [];
      size = 0;
    },
    save(): void {
      // After `digest`, a hash has no state to save.
      if (!progress.result) progress.hash = Buffer.from(hash.save()).toString("base64");
      progress.pending = content().toString("base64");
    },
    digest: () => hash.digest("hex"),
  };
}
