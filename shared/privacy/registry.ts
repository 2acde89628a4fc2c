import { toInstant } from "../clock.ts";
import { URL_SECONDS } from "../files/file.ts";
import { retention } from "../retention/policy.ts";
import { DAY } from "../retention/rule.ts";
import type { Receipt } from "./erasure.ts";
import { operationalPlaces, type Place } from "./place.ts";

const BY_PARTITION =
  "Query of the partition of each session, which the indexes sessions_by_activity and sessions_due list";

/** All personal data. A test fails when something that is stored has no row here and is not listed in `impersonal`. */
export const places = [
  {
    name: "sessions",
    records: ["session", "stub", "anchor", "tree"],
    holds: "Titles, metadata, times and settings of sessions, active and archived",
    found: BY_PARTITION,
    erased: "Made a tombstone at once, so that late writes are refused; deleted",
  },
  {
    name: "traces of deleted sessions",
    records: ["tombstone"],
    holds: "Ids of sessions that were deleted during the last hour",
    found: BY_PARTITION,
    erased: "Deleted last, when no earlier request runs any more",
  },
  {
    name: "messages",
    records: ["message", "messageId", "liveText"],
    holds: "What was said, on all branches; ids that clients chose; text of running turns",
    found: BY_PARTITION,
    erased: "Deleted",
  },
  {
    name: "memories",
    records: ["memory", "forgottenMemory"],
    holds:
      "Text, vector and terms of remembered messages; ids of forgotten ones; 20 bits of a hash of each of the ten memories before, also of forgotten ones",
    found: BY_PARTITION,
    erased: "Deleted, from the vector indexes too",
  },
  {
    name: "statistics of memories",
    records: ["memorySummary", "emptyMemorySummary"],
    holds: "Counts of hashed terms; memories that the index memories_by_time still lists",
    found: "Query of the item and of the index memories_by_time",
    erased: "Deleted",
  },
  {
    name: "files",
    records: ["fileRecord", "unusedFile"],
    holds: "Names, types and sizes of files",
    found: "Query of the user's partition of files",
    erased: "Deleted",
  },
  {
    name: "uses of files",
    records: ["fileUse"],
    holds: "Which message names which file",
    found: BY_PARTITION,
    erased: "Deleted",
  },
  {
    name: "contents of files",
    records: ["file"],
    holds: "What the user uploaded",
    found: "Versions of objects below files/<user>/, and unfinished uploads",
    erased: "Every version deleted, unfinished uploads aborted",
  },
  {
    name: "exports",
    records: ["exportRecord", "latestExport"],
    holds: "Status, size and counts of exports",
    found: "Query of the user's partition of the table exports",
    erased: "Deleted",
  },
  {
    name: "contents of exports",
    records: ["export"],
    holds: "Everything of the user, as a zip",
    found: "Versions of objects below exports/<user>/, and unfinished uploads",
    erased: "Every version deleted, unfinished uploads aborted",
  },
  {
    name: "archived sessions",
    records: ["archive"],
    holds: "Whole sessions, as JSON Lines",
    found: "Versions of objects below archive/dt=<day>/<user>/ of every day, and unfinished uploads",
    erased: "Every version deleted, unfinished uploads aborted",
  },
  {
    name: "rows of the lake",
    records: ["lakeMessages", "lakeSessions", "lakeEvents"],
    holds: "Messages, session summaries and events, with a keyed hash of the user",
    found: "The column user_hash of every partition, current and older versions",
    erased: "The partition is written again without the rows at once; older versions with rows are deleted",
  },
  {
    name: "events",
    records: ["event"],
    holds: "Feedback, conversions and other events, with their metadata; those about incognito sessions without it",
    found: "Query of the index events_by_user",
    erased: "Deleted",
  },
  {
    name: "idempotency records",
    records: ["idempotency"],
    holds: "Hashes of keys and requests, ids and times",
    found: "Query of the user's partition",
    erased: "Deleted",
    later: {
      why: "Requests that were refused during the erasure leave one. It holds no content.",
      seconds: () => retention.idempotency.seconds,
    },
  },
  {
    name: "usage",
    records: ["limits"],
    holds: "Requests and tokens per minute and day",
    found: "The user's item",
    erased: "Deleted",
    later: {
      why: "Chat requests that were refused during the erasure are counted.",
      seconds: () => retention.limits.seconds,
    },
  },
  {
    name: "choices",
    records: ["person"],
    holds: "Whether memory is on, and the id of the running erasure",
    found: "The user's item",
    erased: "Deleted together with the signing of the receipt",
  },
  {
    name: "late uploads",
    records: ["openErasure"],
    holds: "The user's id, to erase what is uploaded with URLs that were signed before the erasure",
    found: "The item of the erasure",
    erased: "The contents are erased by a last run, and then the item",
    later: {
      why: "URLs that were signed before the erasure can still upload a file. A last run erases it.",
      seconds: () => URL_SECONDS + 900,
      fromBeginning: true,
    },
  },
  {
    name: "receipts",
    records: ["erasureReceipt"],
    holds: "Counts per store, and a keyed hash of the user",
    found: "By its id",
    erased: "Not erased: it shows that the erasure took place",
    later: {
      why: "The receipt holds a keyed hash of the user and no content.",
      seconds: () => retention.erasureReceipt.seconds,
    },
  },
  {
    name: "notes for the audit",
    records: ["auditNote"],
    holds: "The user of a token and the user whose data a request is about, for some seconds",
    found: "Not by user",
    erased: "Deleted when the audit record is written",
    later: {
      why: "The request of the erasure itself leaves one. It holds no content.",
      seconds: () => retention.auditNote.seconds,
    },
  },
  {
    name: "audit records",
    records: ["audit", "lakeAudit"],
    holds: "Who did what to whose data, with keyed hashes of users",
    found: "By the keyed hash of the user",
    erased: "Not erased: they show what was done to the user's data. No function may delete one",
    later: {
      why: "Audit records hold keyed hashes of users and no content.",
      seconds: () => retention.audit.seconds,
    },
  },
  {
    name: "raw metrics",
    records: ["rawMetric"],
    holds: "Duration and status per request, with a hash of the user",
    found: "Not by user",
    erased: "By age",
    later: {
      why: "Metrics of requests hold a hash of the user and no content.",
      seconds: () => retention.rawMetric.seconds,
    },
  },
  {
    name: "counts of users",
    records: ["hourlyAggregate", "dailyAggregate", "monthlyAggregate"],
    holds: "The smallest hashes of users of an hour, day or month, to count different users",
    found: "Not by user",
    erased: "By age. When the days of a month are gone, its count is a number",
    later: {
      why: "Counts of different users hold hashes of some users and nothing about them.",
      // The fold of months runs daily.
      seconds: () => retention.dailyAggregate.seconds + DAY,
    },
  },
  ...operationalPlaces,
] as const satisfies readonly Place[];

/** Rows of the retention table without personal data. */
export const impersonal: readonly (keyof typeof retention)[] = [
  "writeProbe",
  "provider",
  "memoryLayout",
  "counter",
  "jobState",
  "lakeDay",
  "lakeBasis",
  "lakeAggregates",
  "report",
];

/**
 * Lists, for a receipt, the data that the erasure could not delete at once. Instants are in epoch milliseconds.
 * @param searched the names of the places that the erasure has searched
 */
export function remainsOf(
  { since, now }: { since: number; now: number },
  searched: ReadonlySet<string>,
): Receipt["remains"] {
  const all: readonly Place[] = places;
  return all.flatMap(({ name, later }) => {
    if (!later || (later.unlessSearched && searched.has(name))) return [];
    const { why, fromBeginning } = later;
    const seconds = later.seconds();
    const until = seconds === null ? null : toInstant((fromBeginning ? since : now) + seconds * 1000);
    return [{ name, why, until }];
  });
}
