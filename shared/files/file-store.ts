import type { TransactionAction } from "../dynamodb/table.ts";
import type { SessionId } from "../session/session.ts";
import type { FileRecord } from "./file.ts";

/** A use of a file: a message names the file. */
export interface FileUse {
  file: string;
  message: string;
  /** The generation of the session in which the message was stored. */
  generation: number;
}

/** Stores the records of files. Reads are strongly consistent, and omit deleted and expired files. */
export interface FileStore {
  /**
   * Stores a new file; false when its id is in use. With `reuseAt` (epoch milliseconds), an id is free again as soon as its file is
   * deleted or has expired.
   */
  add(file: FileRecord, reuseAt?: number): Promise<boolean>;
  /** Finds files, in any order. `now` is in epoch milliseconds. */
  find(user: string, ids: readonly string[], now: number): Promise<FileRecord[]>;
  /** Lists a page of a user's files, the newest first. `after` is the last id of the previous page. */
  list(
    user: string,
    query: { limit: number; after?: string | undefined; now: number },
  ): Promise<{ files: FileRecord[]; more: boolean }>;
  /** Marks the content of a file as uploaded. */
  markReady(file: FileRecord): Promise<void>;
  /**
   * Deletes the record of a file, but keeps its id in use until its upload URL is certainly invalid. False when a message has named the file
   * since it was read.
   */
  remove(file: FileRecord, now: number): Promise<boolean>;
  /** Prepares the writes that assign a file to messages. They fail when the file has changed since it was read. */
  taking(file: FileRecord, session: SessionId, generation: number, messages: readonly string[]): TransactionAction[];
  /** Reads the uses of a session's files, or of one file, page by page. */
  uses(session: SessionId, file?: string): AsyncIterable<FileUse[]>;
  /** Deletes uses. May be repeated. */
  clearUses(session: SessionId, uses: readonly FileUse[]): Promise<void>;
}

/** The request with which a client uploads a file. */
interface Upload {
  method: "PUT";
  url: string;
  /** Headers that the request must have. */
  headers: Record<string, string>;
}

type Named = Pick<FileRecord, "user_id" | "id">;

/** Stores the content of files. */
export interface FileObjects {
  /** Signs a request that can store the content once, with the file's size and type, and with its checksum if it has one. */
  signUpload(file: FileRecord, seconds: number): Promise<Upload>;
  /** Signs a URL that serves the content as a download. */
  signDownload(file: FileRecord, seconds: number): Promise<string>;
  /** Whether the content is stored. */
  has(file: Named): Promise<boolean>;
  put(file: FileRecord, content: Uint8Array): Promise<void>;
  /** Throws `not_found` when the content is not stored. */
  read(file: Named): Promise<Uint8Array>;
  /** Deletes the content. May be repeated, also when there is none. */
  remove(file: Named): Promise<void>;
}
