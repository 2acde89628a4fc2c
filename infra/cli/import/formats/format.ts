import type { Conversation } from "../conversation.ts";
import type { Entry } from "../read/entry.ts";

export type JsonObject = Record<string, unknown>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The export that a record belongs to. */
export interface Source {
  /** Finds a file of the export: see `createIndex`. */
  find(name: string): Entry | undefined;
  /** Counts something that is not imported. `what` names it in the plural, such as "messages without content". */
  leaveOut(what: string): void;
}

export interface Format {
  /** The name for reports. */
  name: string;
  /** Returns whether a record is of this format. A record is of the first format in the list that recognises it. */
  recognises(record: JsonObject): boolean;
  /**
   * Reads a conversation from its records: one, unless the format has `continues`. Returns `undefined` when the records have nothing to
   * import, after it has counted them with `leaveOut`.
   * @throws BadRecord naming the field.
   */
  read(records: readonly JsonObject[], source: Source): Conversation | undefined;
  /** Returns whether a record belongs to the same conversation as the records before it. Absent = each record is a conversation. */
  continues?(records: readonly JsonObject[], record: JsonObject): boolean;
  /** Whether a conversation is not imported if one of its records cannot be read. */
  needsAll?: boolean;
  /** Maximum bytes of the records of one conversation, because the import holds them in memory. @default 64 MB */
  maxBytes?: number;
}
