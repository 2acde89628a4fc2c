import { type retention, upkeep } from "../retention/policy.ts";
import { DAY } from "../retention/rule.ts";

/** Seconds for which the logs of a durable stage are kept: three months. */
const LOGS = 90 * DAY;

/** Seconds for which X-Ray keeps traces. No setting changes it. */
const TRACES = 30 * DAY;

/** A kind of personal data, and where it is stored. */
export interface Place {
  /** The name in receipts and in docs/privacy.md. */
  name: string;
  /** The rows of the retention table that it covers. */
  records: readonly (keyof typeof retention)[];
  holds: string;
  /** How an erasure finds the data of one user. */
  found: string;
  erased: string;
  /** Data that an erasure cannot delete at once. */
  later?: {
    why: string;
    /** Seconds until it is gone, from the end of the erasure; null = it stays, or the operator has to delete it. */
    seconds: () => number | null;
    /** `seconds` count from the beginning of the erasure. */
    fromBeginning?: true;
    /** Applies only when the erasure could not search the place. */
    unlessSearched?: true;
  };
}

/** Places without a row in the retention policy, because AWS services write them and not the code. */
export const operationalPlaces = [
  {
    name: "names of events",
    records: [],
    holds: "The name of an event, as a dimension of metrics; e-mail addresses and the like are replaced in it",
    found: "Not by user",
    erased: "Not erased: the application chooses the names, and all its users share them",
    later: {
      why: "Counts of events have the names that the application gives to its events. They must not name a person.",
      seconds: () => null,
    },
  },
  {
    name: "stream records",
    records: [],
    holds: "Changes of the tables conversations, exports and audit-outbox",
    found: "Not by user",
    erased: "DynamoDB deletes them after a day",
    later: { why: "The streams of the tables keep every change for a day.", seconds: () => DAY },
  },
  {
    name: "backups",
    records: [],
    holds: "The tables, at any time of the last days (point-in-time recovery)",
    found: "Not by user",
    erased: "By age. After a restore, erase the user again",
    later: { why: "Backups of the tables cannot be changed.", seconds: () => upkeep.recovery },
  },
  {
    name: "logs",
    records: [],
    holds: "Lines with hashes of the user and of the session; no content",
    found: "By the hash",
    erased: "By age",
    later: { why: "Logs hold hashes of the user and of sessions, and no content.", seconds: () => LOGS },
  },
  {
    name: "traces",
    records: [],
    holds: "Times of requests and calls, with the URL, which has ids of sessions, and the client's address",
    found: "Not by user",
    erased: "X-Ray deletes them after 30 days",
    later: { why: "Traces hold URLs and addresses of clients, and no content.", seconds: () => TRACES },
  },
  {
    name: "access logs",
    records: [],
    holds:
      "Keys of objects that were read or written. Keys contain the user's id, and those of the archive the session's id",
    found: "Not by user",
    erased: "By age",
    later: {
      why: "S3 access logs hold keys of objects, which contain the ids of the user and of sessions.",
      seconds: () => upkeep.accessLogs,
    },
  },
  {
    name: "query results",
    records: [],
    holds: "Results of Athena queries of analysts",
    found: "Not by user",
    erased: "By age",
    later: { why: "Results of earlier Athena queries may hold rows of the user.", seconds: () => upkeep.queryResults },
  },
  {
    name: "dead letters",
    records: [],
    holds: "Positions in streams, events of schedules, and texts of errors. They name no user on purpose",
    found: "Keys and hashes of the user in the text of each message",
    erased: "Deleted. A position in a stream stays; to deliver it again after an erasure stores nothing",
  },
  {
    name: "account",
    records: [],
    holds: "The sign-in: e-mail address and password",
    found: "By the user's id, in the deployment's own user pool",
    erased: "Deleted last. Tokens of the account stay valid for up to an hour",
    later: {
      why: "With another issuer, the account belongs to that issuer. The operator deletes it there",
      unlessSearched: true,
      seconds: () => null,
    },
  },
] as const satisfies readonly Place[];
