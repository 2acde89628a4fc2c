/** A file in a directory or in a zip archive. */
export interface Entry {
  /** Its path in the directory or archive, with slashes. */
  name: string;
  /** Its unpacked size in bytes. */
  bytes: number;
  /** Opens the content. Reads no faster than the caller asks for chunks. */
  open(): AsyncIterable<Buffer>;
}

/** Reads the whole content. */
export async function readEntry({ open }: Entry): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of open()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Creates a function that finds an entry by its path, its file name, its file name without the extension, or the id that begins its name. */
export function createIndex(entries: readonly Entry[]): (name: string) => Entry | undefined {
  let index: Map<string, Entry> | undefined;
  return (name) => {
    index ??= indexOf(entries);
    return index.get(name);
  };
}

/** Ids of ChatGPT's files and of Memocha's. */
const ID = /^(file[-_][A-Za-z0-9]+|[0-9a-f]{8}-[0-9a-f-]{27})/;

function indexOf(entries: readonly Entry[]): Map<string, Entry> {
  const index = new Map<string, Entry>();
  for (const entry of entries) {
    const base = entry.name.slice(entry.name.lastIndexOf("/") + 1);
    const keys = [entry.name, base, base.replace(/\.[^.]*$/, ""), ID.exec(base)?.[0] ?? ""];
    for (const key of keys) if (key !== "" && !index.has(key)) index.set(key, entry);
  }
  return index;
}
