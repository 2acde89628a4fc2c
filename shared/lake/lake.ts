import type { MessageLine, SessionLine } from "../archive/format.ts";
import type { Row, TableName } from "./tables.ts";

/** An archived session as the listing of its day shows it. */
export interface ArchivedObject {
  key: string;
  etag: string;
  /** As it is packed. */
  bytes: number;
  /** Epoch milliseconds. */
  archivedAt: number;
  /** The user's id, or what stands for a long one in keys. */
  user: string;
}

export type ArchiveLine = SessionLine | MessageLine;

/** The archive as the lake is built from it. */
export interface ArchivedDays {
  /** Days that have objects, like 2026-11-21. */
  days(): Promise<string[]>;
  /** The objects of a day, in the order of their keys. */
  list(day: string): AsyncIterable<ArchivedObject>;
  /** Starts reading an object; gives its lines some at a time. Throws `conflict` when it is gone or another one by now. */
  open(object: ArchivedObject): Promise<AsyncIterable<ArchiveLine[]>>;
}

/** What a partition was built from, and the version of it that is there. */
export interface Partition {
  etag: string;
  fingerprint: string;
}

/** The lake's partitions: a table's rows of one day, one object each. */
export interface Lake {
  find(table: TableName, day: string): Promise<Partition | null>;
  /** Begins a partition that takes the place of what is there once it is committed, and leaves no trace otherwise. */
  begin<T extends TableName>(table: T, day: string, fingerprint: string): PartitionWriter<T>;
  /** Removes a partition. False when it is not that version of it any more. */
  remove(table: TableName, day: string, etag: string): Promise<boolean>;
}

export interface PartitionWriter<T extends TableName> {
  add(row: Row<T>): Promise<void>;
  /** Puts it in the place of the version `replaces` (`null` = of none), at once. False when something else is there. */
  commit(replaces: string | null): Promise<boolean>;
  abort(): Promise<void>;
}

/** A day whose archive objects have changed since its partitions were built, or will have to be left out. */
export interface ChangedDay {
  day: string;
  /** Another with every change. */
  token: string;
  /** Nothing has changed: messages of it have reached their age. */
  aged: boolean;
}

/** Which days the builder has to look at. A mark is only made once the change to the archive has happened. */
export interface ChangedDays {
  mark(days: Iterable<string>): Promise<void>;
  /** Those that are due at `now` (epoch ms). */
  due(now: number): Promise<ChangedDay[]>;
  /** Ends a change, unless there was another since; the day is due again at `next` (epoch ms), or never. */
  settle(changed: ChangedDay, next: number | null): Promise<void>;
}
