import type { Conversation } from "../conversation.ts";
import type { Entry } from "../read/entry.ts";

export type JsonObject = Record<string, unknown>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The export that a record belongs to. */
export interface Source {
  /** Finds a file of the export: see `createIndex`. */
  find(name: string): Entry | undefined;
  /** Notes that something is not imported. Says what, in the plural. */
  leave(what: string): void;
}

export interface Format {
  /** For reports. */
  name: string;
  /** Whether a record is of this format. The formats are asked in the order of their list. */
  recognises(record: JsonObject): boolean;
  /**
   * Reads a conversation from its records: one, unless the format has `continues`. `undefined`: there is nothing to import in them, and
   * `leave` was told why.
   * @throws BadRecord naming the field.
   */
  read(records: readonly JsonObject[], source: Source): Conversation | undefined;
  /** Whether a record belongs to the same conversation as the records before it. Absent = each record is a conversation. */
  continues?(records: readonly JsonObject[], record: JsonObject): boolean;
  /** A conversation is not imported if a record of it cannot be read. */
  needsAll?: boolean;
  /** Bytes of the records of one conversation, which the import holds in memory. @default 64 MB */
  maxBytes?: number;
}
