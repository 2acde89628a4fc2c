import { createReadStream } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import path from "node:path";
import type { Entry } from "./entry.ts";
import { findMemochaExport, type MemochaExport } from "./memocha-export.ts";
import { openZip } from "./open-zip.ts";
import { CHUNK_BYTES } from "./read-bytes.ts";
import { readRecords } from "./read-records.ts";
import type { InputRecord } from "./record.ts";

/** A file with conversations. */
export interface Input {
  /** Its path for reports. For a file in a zip archive, also the path in the archive. */
  file: string;
  /** Bytes that will be read. */
  bytes: number;
  /** Reads its records. `onRead` is called with the number of bytes that were read. */
  records(onRead: (bytes: number) => void): AsyncGenerator<InputRecord>;
  /** All files of its directory or archive. */
  entries: readonly Entry[];
  /** Present when the input is an export of Memocha. */
  memochaExport?: MemochaExport;
}

export interface Inputs {
  inputs: Input[];
  close(): void;
}

const EXPORT = /(^|\/)conversations[^/]*\.jsonl?(\.gz)?$/i;
const ACTIVITY = /(^|\/)my ?activity\.(json|html)$/i;
const ANY_JSON = /\.(json|jsonl|ndjson)(\.gz)?$/i;

/**
 * Opens the files to import, in the given order. In a directory or a zip archive, it opens the files of an export: Memocha's sessions,
 * or `conversations*.json`, or `MyActivity.json` and `.html`, or else all JSON files. It sorts them by the numbers in their names.
 * @throws Error that names a file which does not exist, cannot be opened, or is an incomplete export.
 */
export async function openInputs(given: readonly string[]): Promise<Inputs> {
  const opened: Inputs[] = [];
  const close = (): void => {
    for (const each of opened) each.close();
  };
  try {
    for (const each of given) opened.push(await openInput(each));
  } catch (error) {
    close();
    throw error;
  }
  return { inputs: opened.flatMap(({ inputs }) => inputs), close };
}

async function openInput(given: string): Promise<Inputs> {
  const stats = await stat(given).catch((error: NodeJS.ErrnoException) => {
    throw new Error(error.code === "ENOENT" ? `${given}: no such file` : `${given}: ${error.message}`, {
      cause: error,
    });
  });
  if (stats.isDirectory()) {
    const entries = await listDirectory(given);
    const inputs = await chooseInputs(entries, (name) => path.join(given, name)).catch(named(given));
    if (inputs.length === 0) throw new Error(`${given}: no .json or .jsonl file in this directory`);
    return { inputs, close: () => undefined };
  }
  if (!stats.isFile()) throw new Error(`${given}: neither a file nor a directory`);
  if (!(await isZip(given))) {
    const entry = fileEntry(given, given, stats.size);
    return { inputs: [toInput(given, [entry], [])], close: () => undefined };
  }
  const { entries, close } = await openZip(given).catch(named(given));
  try {
    const inputs = await chooseInputs(entries, (name) => `${given}: ${name}`).catch(named(given));
    if (inputs.length > 0) return { inputs, close };
    throw new Error(`${given}: no .json or .jsonl file in this archive`);
  } catch (error) {
    close();
    throw error;
  }
}

/** Adds the name of the file to an error. */
const named = (given: string) => (error: Error) => {
  throw new Error(`${given}: ${error.message}`, { cause: error });
};

async function chooseInputs(entries: readonly Entry[], show: (name: string) => string): Promise<Input[]> {
  const numbered = entries.toSorted((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  const memochaExport = await findMemochaExport(numbered);
  if (memochaExport) {
    const { sessions, manifest } = memochaExport;
    return [{ ...toInput(show((sessions[0] ?? manifest).name), sessions, entries), memochaExport }];
  }
  const files = numbered.filter(({ name }) => !name.startsWith("__MACOSX/"));
  const match = (pattern: RegExp, isFlat = false) =>
    files.filter(({ name }) => pattern.test(name) && !(isFlat && name.includes("/")));
  const chosen = [match(EXPORT), match(ACTIVITY), match(ANY_JSON, true), match(ANY_JSON)];
  return (chosen.find((each) => each.length > 0) ?? []).map((each) => toInput(show(each.name), [each], entries));
}

/** Makes one input of several files that together are one text. */
function toInput(file: string, texts: readonly Entry[], entries: readonly Entry[]): Input {
  const bytes = texts.reduce((sum, each) => sum + each.bytes, 0);
  async function* records(onRead: (bytes: number) => void): AsyncGenerator<InputRecord> {
    // The export of a user without sessions has no file of sessions.
    if (texts.length > 0) yield* readRecords(() => concatenate(texts), onRead);
  }
  return { file, bytes, entries, records };
}

async function* concatenate(entries: readonly Entry[]): AsyncGenerator<Buffer> {
  for (const entry of entries) yield* entry.open();
}

async function listDirectory(directory: string): Promise<Entry[]> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = found.filter((each) => each.isFile()).map((each) => path.join(each.parentPath, each.name));
  return Promise.all(
    files.map(async (file) => {
      const name = path.relative(directory, file).split(path.sep).join("/");
      return fileEntry(file, name, (await stat(file)).size);
    }),
  );
}

const fileEntry = (file: string, name: string, bytes: number): Entry => ({
  name,
  bytes,
  open: () => createReadStream(file, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>,
});

async function isZip(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    // An archive without files has only the end record (PK 5 6).
    return bytesRead === 4 && [0x504b0304, 0x504b0506].includes(buffer.readUInt32BE(0));
  } finally {
    await handle.close();
  }
}
