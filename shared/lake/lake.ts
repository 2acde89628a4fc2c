import type { Row, TableName } from "./tables.ts";

/** The version of a partition that is stored, and what it was built from. */
interface Partition {
  etag: string;
  fingerprint: string;
}

/** The lake's partitions: the rows of one table and one day, in one object each. */
export interface Lake {
  /** Finds a partition; `null` when it does not exist. */
  find(table: TableName, day: string): Promise<Partition | null>;
  /**
   * Begins a partition. A commit replaces the version `replaces` (an ETag; `null` = none must exist); without a commit
   * nothing changes.
   */
  begin<T extends TableName>(table: T, day: string, fingerprint: string, replaces: string | null): PartitionWriter<T>;
  /** Removes a version of a partition. Returns false when another version is stored. */
  remove(table: TableName, day: string, etag: string): Promise<boolean>;
}

export interface PartitionWriter<T extends TableName> {
  /** Adds a row. */
  add(row: Row<T>): Promise<void>;
  /** Publishes the partition atomically. Returns false when another version is stored by now. */
  commit(): Promise<boolean>;
  /** Discards the rows. May be called after any failure, and again. */
  abort(): Promise<void>;
}

/** A day whose archive objects have changed since its partitions were built, or whose messages must be built again. */
export interface ChangedDay {
  day: string;
  /** Changes with every change of the day. */
  token: string;
  /** True when no object has changed, but messages have reached their age or must have other content. Summaries are not built then. */
  aged: boolean;
}

/** The days that the lake builder must build. The archiver marks a day after the archive has changed, never before. */
export interface ChangedDays {
  /** Marks days as changed. */
  mark(days: Iterable<string>): Promise<void>;
  /** Marks days whose messages must be built again, although the archive has not changed. */
  markMessages(days: Iterable<string>): Promise<void>;
  /** Reads what `setBasis` has stored; `null` = nothing. */
  findBasis(): Promise<string | null>;
  /** Stores the settings for which all days are marked. */
  setBasis(basis: string): Promise<void>;
  /** Returns the days that are due at `now` (epoch ms). */
  due(now: number): Promise<ChangedDay[]>;
  /** Ends a change, unless the day has changed again. The day is due again at `next` (epoch ms), or never. */
  settle(changed: ChangedDay, next: number | null): Promise<void>;
}
