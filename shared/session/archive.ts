import type { MessageRecord } from "./message.ts";
import type { Anchor, ArchiveRef } from "./session.ts";
import type { Tally, Tree } from "./tree.ts";

/** What is archived of a session beside its messages: what its anchor says. */
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
  /** The generation of the messages in it. */
  generation: number;
}

/** The archive: the record of truth of every session that is no longer hot. */
export interface Archive {
  /**
   * Stores a session whole, or nothing of it. Each generation is written once: when it is there, nothing is written;
   * an older one is replaced, and a newer one is kept (`null`). `messages` starts the reading of the messages, in order, and
   * may be called again. Deleted messages, by the tree, are left out.
   */
  write(
    header: ArchivedHeader,
    messages: () => AsyncIterable<MessageRecord[]>,
  ): Promise<({ ref: ArchiveRef } & Tally) | null>;
  /** The messages of one chunk, in order. Throws `not_found` when the object is gone. */
  readChunk(ref: ArchiveRef, chunk: number): Promise<MessageRecord[]>;
  /** The session's object, if there is one. Two where an earlier version has left one beside it. */
  find(session: { user_id: string; id: string; created_at: string }): Promise<ArchivedObject[]>;
  /** Deletes the session's object, only if its ETag is still this one. */
  remove(session: { user_id: string; id: string; created_at: string }, etag: string): Promise<void>;
  /** Throws when the archive cannot be reached. */
  ping(): Promise<void>;
}

/** Every message of an archived session, in order, a chunk at a time. */
export async function* readArchive(
  archive: Pick<Archive, "readChunk">,
  ref: ArchiveRef,
): AsyncIterable<MessageRecord[]> {
  for (let chunk = 0; chunk < ref.chunks.length; chunk++) yield await archive.readChunk(ref, chunk);
}
