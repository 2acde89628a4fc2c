import type { Row, TableName } from "./tables.ts";

/** The stored version of a partition, and the fingerprint of its sources. */
interface Partition {
  etag: string;
  fingerprint: string;
}

/** Stores the lake's partitions. Each has the rows of one table and one day, in one object. */
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
  /** Publishes the partition atomically. Returns false when another version was stored meanwhile. */
  commit(): Promise<boolean>;
  /** Discards the rows. May be called after any failure, and again. */
  abort(): Promise<void>;
}

/** A day whose archive objects have changed since its partitions were built, or whose messages must be built again. */
export interface ChangedDay {
  day: string;
  /** Changes with every change of the day. */
  token: string;
  /** Whether only messages have expired or need other content, and no object has changed. If so, summaries are not built. */
  aged: boolean;
}

/** Stores the days that the lake builder must build. The archiver marks a day after the archive has changed, never before. */
export interface ChangedDays {
  /** Marks days as changed. */
  mark(days: Iterable<string>): Promise<void>;
  /** Marks days whose messages must be built again, although the archive has not changed. */
  markMessages(days: Iterable<string>): Promise<void>;
  /** Reads the settings that `setBasis` has stored; `null` = none. */
  findBasis(): Promise<string | null>;
  /** Stores the settings for which all days were marked. */
  setBasis(basis: string): Promise<void>;
  /** Returns the days that are due at `now` (epoch ms). */
  due(now: number): Promise<ChangedDay[]>;
  /** Ends a change, unless the day has changed again. The day is due again at `next` (epoch ms), or never. */
  settle(changed: ChangedDay, next: number | null): Promise<void>;
}
