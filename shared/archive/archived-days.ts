import type { MessageLine, SessionLine } from "./archived-lines.ts";

/** An archive object in the list of its day. */
export interface ArchivedObject {
  key: string;
  etag: string;
  /** Compressed size. */
  bytes: number;
  /** Epoch milliseconds. */
  archivedAt: number;
  /** The user's id, or the hash that replaces a long id in keys. */
  user: string;
}

export type ArchiveLine = SessionLine | MessageLine;

/** The archive, day by day. A session belongs to the day on which it was created. */
export interface ArchivedDays {
  /** Returns the days that have objects, like 2026-11-21. */
  days(): Promise<string[]>;
  /** Lists the objects of a day, sorted by key. */
  list(day: string): AsyncIterable<ArchivedObject>;
  /** Opens an object and yields its lines in batches. Throws `conflict` when the object was deleted or replaced after the listing. */
  open(object: ArchivedObject): Promise<AsyncIterable<ArchiveLine[]>>;
}
