import type { TransactionAction } from "../dynamodb/table.ts";
import type { SessionId } from "../session/session.ts";
import type { FileRecord } from "./file.ts";

/** That a message names a file. */
export interface FileUse {
  file: string;
  message: string;
  /** The generation of the session in which the message was stored. */
  generation: number;
}

/** What is known of files beside their content. Reads are strongly consistent, and show no deleted or expired file. */
export interface FileStore {
  /**
   * Stores a new file; false when its id is in use. With `reuseAt` (epoch milliseconds), an id is free again as soon as its file is
   * deleted or has expired.
   */
  add(file: FileRecord, reuseAt?: number): Promise<boolean>;
  /** In any order. `now` is in epoch milliseconds. */
  find(user: string, ids: readonly string[], now: number): Promise<FileRecord[]>;
  /** A page of a user's files, the newest first. `after` is the id at which the page before ended. */
  list(
    user: string,
    query: { limit: number; after?: string | undefined; now: number },
  ): Promise<{ files: FileRecord[]; more: boolean }>;
  /** Notes that the content is there. */
  markReady(file: FileRecord): Promise<void>;
  /**
   * Makes the file invisible for good, and leaves its id until its upload URL is long invalid. False when a message has named it
   * since it was read.
   */
  remove(file: FileRecord, now: number): Promise<boolean>;
  /** The writes by which messages take a file. They fail together when the file is not as it was read. */
  taking(file: FileRecord, session: SessionId, generation: number, messages: readonly string[]): TransactionAction[];
  /** The uses of a session's files, or of one of them, a page at a time. */
  uses(session: SessionId, file?: string): AsyncIterable<FileUse[]>;
  /** Forgets uses; may be repeated. */
  clearUses(session: SessionId, uses: readonly FileUse[]): Promise<void>;
}

/** How a client uploads a file. */
interface Upload {
  method: "PUT";
  url: string;
  /** Headers that the request must have. */
  headers: Record<string, string>;
}

type Named = Pick<FileRecord, "user_id" | "id">;

/** The content of files. */
export interface FileObjects {
  /** A request that stores the content once: with this size and type, and with the checksum if the file has one. */
  signUpload(file: FileRecord, seconds: number): Promise<Upload>;
  /** A URL that serves the content as a download. */
  signDownload(file: FileRecord, seconds: number): Promise<string>;
  /** Whether the content is there. */
  has(file: Named): Promise<boolean>;
  put(file: FileRecord, content: Uint8Array): Promise<void>;
  /** Throws `not_found` when the content is gone. */
  read(file: Named): Promise<Uint8Array>;
  /** May be repeated, also when there is no content. */
  remove(file: Named): Promise<void>;
}
