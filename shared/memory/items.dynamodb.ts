import { unmarshall } from "@aws-sdk/util-dynamodb";
import { MEMORY_PREFIX, memoryKey, parseMessageKey, parseSessionKey } from "../dynamodb/keys.ts";
import type { Item } from "../dynamodb/table.ts";
import { memoryVectorNames, parseMemoryVector, type VectorPlace } from "../dynamodb/tables.ts";
import { parseStored } from "../parse-stored.ts";
import { fromMessageItem, fromTreeItem, isTree } from "../session/items.dynamodb.ts";
import { divergenceOf } from "../session/tree.ts";
import type { BranchChange } from "./follow-branch.ts";
import { type Candidate, type Captured, type MemoryRecord, speakerOf } from "./memory.ts";
import type { Layout, NewMemory, PrecedingMemory, Slot, Summary, Vectors } from "./memory-store.ts";
import { noStatistics } from "./statistics.ts";

/** What is read of memories: not the vectors, which are most of an item. */
export const MEMORY_ATTRIBUTES = ["pk", "sk", "memory_of", "session_id", "id", "said", "forgotten"];

export function memoryIdOf({ sk }: Item): string {
  return String(sk).slice(MEMORY_PREFIX.length);
}

/** False for the item that a forgotten memory leaves. */
export function isMemory(item: Item): boolean {
  return item.forgotten !== true;
}

/** The places in which an item has a vector. */
export function placesIn(item: Item): VectorPlace[] {
  return Object.keys(item).flatMap((attribute) => parseMemoryVector(attribute) ?? []);
}

/** Vectors, as attributes of an item. */
export function vectorAttributes(vectors: Vectors): Record<string, number[]> {
  return Object.fromEntries(
    Object.entries(vectors).map(([slot, vector]) => [
      memoryVectorNames({ slot: slot as Slot, dimensions: vector.length }).vector,
      vector,
    ]),
  );
}

type Image = Parameters<typeof unmarshall>[0];

/** The message in the image of a stream record. */
function fromMessageImage(image: Image): Captured {
  const item = unmarshall(image);
  return {
    session: parseSessionKey(String(item.pk)),
    generation: parseMessageKey(String(item.sk)).generation,
    message: fromMessageItem(item),
  };
}

/** What the stream record of a message or of a tree tells. */
export interface StreamEntry {
  user: string;
  captured?: Captured;
  /** Absent = the current branch is as it was. */
  change?: BranchChange;
}

/** Reads the images of a stream record. `before` = that of a tree that was there. */
export function fromImages(image: Image, before?: Image): StreamEntry {
  const item = unmarshall(image);
  const session = parseSessionKey(String(item.pk));
  const { user } = session;
  if (!isTree(item)) return { user, captured: fromMessageImage(image) };
  const position = divergenceOf(fromTreeItem(before && unmarshall(before)), fromTreeItem(item));
  return position === null ? { user } : { user, change: { session, since: position.split("#")[0] ?? "" } };
}

/** Attributes that no index needs are one JSON text, because the SDK takes 8 µs per attribute and a search returns 100 memories. */
export function toMemoryItem({ user_id, id, session_id, counts, vectors, digests, ...said }: NewMemory): Item {
  return {
    ...memoryKey(user_id, session_id, id),
    memory_of: user_id,
    id,
    session_id,
    said: JSON.stringify({ ...said, terms: toTerms(counts) }),
    said_in_month: said.created_at.slice(0, 7),
    said_in_year: said.created_at.slice(0, 4),
    digests,
    ...vectorAttributes(vectors),
  };
}

/** A text that ends with a question. */
const QUESTION = /[?？؟][\s"'”’)\]]*$/u;

type Said = Omit<MemoryRecord, "user_id" | "id" | "session_id" | "counts"> & { terms: string };

export function fromMemoryItem({ memory_of, id, session_id, said }: Item): MemoryRecord {
  const { terms, ...rest } = parseStored<Said>(said, "a memory");
  return {
    user_id: String(memory_of),
    id: String(id),
    session_id: String(session_id),
    ...rest,
    counts: fromTerms(terms),
  };
}

export function fromPrecedingItem(item: Item): PrecedingMemory {
  return { ...fromMemoryItem(item), ...(item.digests ? { digests: item.digests as string[] } : {}) };
}

/** Derives the speaker and whether the text is a question; both are not stored. */
export function toCandidate(item: Item): Candidate {
  const record = fromMemoryItem(item);
  return { ...record, speaker: speakerOf(record), asks: QUESTION.test(record.content) };
}

export function fromSummaryItem(item: Item | undefined): Summary {
  if (!item) {
    return { statistics: noStatistics(), forgottenBefore: 0, forgotten: [], forgottenSessions: {}, version: "" };
  }
  return {
    statistics: {
      memories: Number(item.memories),
      length: Number(item.length),
      frequencies: item.frequencies as Uint8Array,
    },
    forgottenBefore: Number(item.forgotten_before),
    forgotten: (item.forgotten_ids ?? []) as string[],
    forgottenSessions: (item.forgotten_sessions ?? {}) as Summary["forgottenSessions"],
    version: String(item.version),
  };
}

export function fromLayoutItem(item: Item | null | undefined): Layout | null {
  return item ? (JSON.parse(String(item.layout)) as Layout) : null;
}

// Terms hold letters and digits only.
const toTerms = (counts: ReadonlyMap<string, number>): string =>
  [...counts].map(([term, count]) => (count === 1 ? term : `${term}:${count}`)).join(" ");

function fromTerms(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const entry of text === "" ? [] : text.split(" ")) {
    const at = entry.indexOf(":");
    if (at < 0) counts.set(entry, 1);
    else counts.set(entry.slice(0, at), Number(entry.slice(at + 1)));
  }
  return counts;
}
