import type { MessagePart } from "../../../shared/session/parts.ts";
import type { MessageInput } from "../../../shared/session/schema.ts";

/** A conversation as its source has it. Its types are checked; `planSession` makes it fit the API's rules. */
export interface Conversation {
  /** The source's id; any text. */
  id: string;
  title?: string;
  /** Epoch milliseconds. */
  startedAt?: number;
  pinned?: boolean;
  incognito?: true;
  ttlSeconds?: number;
  metadata?: Record<string, unknown>;
  messages: SourceMessage[];
  /** The nodes of the source's tree that are not messages: the parent of each, by the node's id. The import passes over these nodes. */
  skipped?: ReadonlyMap<string, string | null>;
  /** The source's id of the last message of the current branch. @default the last message of the list */
  head?: string;
  /** Whether messages keep their ids also when the conversation has no branches. */
  keepsIds?: boolean;
}

export interface SourceMessage
  extends Pick<MessageInput, "role" | "name" | "model" | "usage" | "status" | "finish_reason" | "latency_ms"> {
  /** The source's id. A message without one follows the message before it. */
  id?: string;
  /** The source's id of the message that it follows; `null` = it begins the conversation. Absent = it follows the one before it. */
  parent?: string | null;
  content?: string;
  /** Replaces `content`. */
  parts?: SourcePart[];
  /** Epoch milliseconds; absent when the source has no time. */
  at?: number;
  metadata?: Record<string, unknown>;
}

/** A part of the API, but a file part holds the file instead of its id. */
export type SourcePart = Exclude<MessagePart, { type: "file" }> | { type: "file"; file: SourceFile };

export interface SourceFile {
  /** The id that the file had in Memocha. */
  id?: string;
  filename: string;
  mediaType: string;
  bytes: number;
  /** Reads the content. It is called when the file is sent. */
  read(): Promise<Buffer>;
}

/** A record that cannot be imported. The import reports it with its place and this reason, counts it and skips it. */
export class BadRecord extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = "BadRecord";
  }
}
