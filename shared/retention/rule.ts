/** Seconds in a day. */
export const DAY = 86_400;

/** The kind of an item in a table, or the key prefix of objects in the archive bucket. */
type Place = { item: string } | { object: string };

export interface RetentionRule {
  /** Name of the record in the documentation. */
  record: string;
  /** Where the record is stored. `shared/dynamodb/keys.ts` and `shared/metrics/metric-keys.ts` list the kinds of items. */
  place: Place;
  /** Seconds from the last write of the record until it is deleted; `null` = not deleted by age. */
  seconds: number | null;
  /** Seconds until an object moves to Glacier Instant Retrieval. */
  coldAfterSeconds?: number;
  /** Seconds until an older version of an object is deleted. @default `upkeep.recovery` */
  versionSeconds?: number;
  /** Minimum seconds that a deployment can choose. @default a day for objects, a minute for items */
  least?: number;
  /** Records whose period must not be longer than this one: the earlier tiers. */
  notShorterThan?: readonly string[];
  /** The record whose period this one always has. There is no separate option for this one. */
  sameAs?: string;
  /** The reason for the period, or the cause of the deletion if it is not age. */
  note: string;
}
