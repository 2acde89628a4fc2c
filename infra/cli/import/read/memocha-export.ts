import {
  type Counts,
  FORMAT,
  isSeries,
  MANIFEST,
  type Manifest,
  SETTINGS,
} from "../../../../shared/exports/export-format.ts";
import { isObject } from "../formats/format.ts";
import { type Entry, readEntry } from "./entry.ts";

/** One of Memocha's own exports: see `shared/exports/export-format.ts`. */
export interface MemochaExport {
  manifest: Entry;
  /** The files of the sessions. Together they are one text, because a session can continue in the next file. */
  sessions: Entry[];
  counts: Counts;
  /** Number of files that no message names. */
  unused: number;
  /** Whether the user had memory on. */
  memory: boolean;
}

/** Maximum bytes of a manifest or of settings. A manifest of 500,000 files has fewer. */
const MAX_BYTES = 128 * 1024 * 1024;

/**
 * Finds Memocha's export among the files of a directory or an archive. `entries` must be sorted by the numbers in their names.
 * @throws Error when a file of the sessions is missing or incomplete, or when another version wrote the export.
 */
export async function findMemochaExport(entries: readonly Entry[]): Promise<MemochaExport | undefined> {
  const manifest = entries.find(({ name }) => name === MANIFEST || name.endsWith(`/${MANIFEST}`));
  const about = manifest && (await readJson(manifest));
  if (!manifest || !isManifest(about)) return undefined;
  if (about.version !== FORMAT.version)
    throw new Error(`an export of version ${about.version}; this command reads version ${FORMAT.version}`);
  const root = manifest.name.slice(0, -MANIFEST.length);
  const find = (path: string) => entries.find(({ name }) => name === root + path);
  const listed = about.entries.filter(({ path }) => isSeries(path, "sessions"));
  const sessions = listed.map(({ path, bytes }) => {
    const entry = find(path);
    if (!entry) throw new Error(`${path} is missing, but ${MANIFEST} lists it: download the export again`);
    if (entry.bytes === bytes) return entry;
    throw new Error(`${path} has ${entry.bytes} bytes instead of ${bytes}: download the export again`);
  });
  const settings = find(SETTINGS);
  const { memory } = ((settings && (await readJson(settings))) ?? {}) as { memory?: unknown };
  let unused = 0;
  for (const { path } of about.entries.filter(({ path }) => isSeries(path, "files"))) {
    const entry = find(path);
    const lines = entry ? (await readEntry(entry)).toString().split("\n") : [];
    // A filename cannot contain this text, because JSON escapes its quotes.
    unused += lines.filter((line) => line !== "" && !line.includes('"session_id":')).length;
  }
  return { manifest, sessions, counts: about.counts, unused, memory: memory !== false };
}

function isManifest(value: unknown): value is Manifest {
  if (!isObject(value) || value.format !== FORMAT.format || !isObject(value.counts)) return false;
  const { entries } = value;
  return Array.isArray(entries) && entries.every((entry) => isObject(entry) && typeof entry.path === "string");
}

async function readJson(entry: Entry): Promise<unknown> {
  if (entry.bytes > MAX_BYTES) return undefined;
  const content = await readEntry(entry);
  try {
    return JSON.parse(content.toString());
  } catch {
    return undefined;
  }
}
