import type { MessageRecord } from "./message.ts";
import type { Anchor, ArchiveRef } from "./session.ts";
import type { Tally, Tree } from "./tree.ts";

/** The attributes of the anchor that the archive stores with the messages. */
export type ArchivedHeader = Pick<
  Anchor,
  | "user_id"
  | "id"
  | "title"
  | "title_of"
  | "metadata"
  | "created_at"
  | "ttl_seconds"
  | "pinned"
  | "live_generation"
  | "seed"
> & { tree: Tree };

/** An object in the archive. */
interface ArchivedObject {
  etag: string;
  /** The generation of its messages. */
  generation: number;
}

/** The archive. For sessions that are no longer hot, it is the source of truth. */
export interface Archive {
  /**
   * Stores a session, all or nothing. Each generation is written once: an object of the same generation stays as it is, an older one is
   * replaced, and a newer one is kept (returns `null`). `messages` starts to read the messages in order, and may be called again.
   * Messages that the tree says are deleted are left out.
   */
  write(
    header: ArchivedHeader,
    messages: () => AsyncIterable<MessageRecord[]>,
  ): Promise<({ ref: ArchiveRef } & Tally) | null>;
  /** Reads the messages of one chunk, in order. Throws `not_found` when the object is gone. */
  readChunk(ref: ArchiveRef, chunk: number): Promise<MessageRecord[]>;
  /** Finds the session's objects: at most one, or two if an earlier version of Memocha left one under its former key. */
  find(session: { user_id: string; id: string; created_at: string }): Promise<ArchivedObject[]>;
  /** Deletes the session's object if it still has this ETag. */
  remove(session: { user_id: string; id: string; created_at: string }, etag: string): Promise<void>;
  /** Throws when the archive cannot be reached. */
  ping(): Promise<void>;
}

/** Reads all messages of an archived session in order, one chunk at a time. */
export async function* readArchive(
  archive: Pick<Archive, "readChunk">,
  ref: ArchiveRef,
): AsyncIterable<MessageRecord[]> {
  for (let chunk = 0; chunk < ref.chunks.length; chunk++) yield await archive.readChunk(ref, chunk);
}
