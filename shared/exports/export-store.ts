import { toInstant, toSeconds } from "../clock.ts";
import { AppError } from "../errors.ts";
import { retention } from "../retention/policy.ts";
import { timeOrderedId } from "../session/message.ts";
import type { RequestIdentity } from "../session/session.ts";
import type { Counts } from "./export-format.ts";

/** Milliseconds after which a running export counts as failed. Its job has stopped long before. */
const MAX_RUNNING = 86_400_000;

export interface ExportRecord {
  user_id: string;
  id: string;
  status: "running" | "ready" | "failed";
  /** ISO 8601. */
  created_at: string;
  /** Epoch seconds at which the export is deleted. */
  expires_at: number;
  /** Number of runs of the job that have begun since the last run that ended before its deadline. */
  attempts: number;
  result?: ExportResult;
}

export interface ExportResult {
  bytes: number;
  /** SHA-256 of the zip, in hex. */
  sha256: string;
  counts: Counts;
}

/** Stores exports. Each user has at most one running export. Reads are strongly consistent. */
export interface ExportStore {
  find(user: string, id: string): Promise<ExportRecord | null>;
  /** The id of the export that was begun last. */
  latest(user: string): Promise<string | null>;
  /** Stores a new export, and starts its job. False when `after` is not the latest export of the user. */
  begin(record: ExportRecord, after: string | null): Promise<boolean>;
  /** Counts a run of the job, and returns the export. `null` when the export is not running. */
  attempt(user: string, id: string): Promise<ExportRecord | null>;
  /** Starts the job again, after a run that ended at its deadline. */
  startNextRun(user: string, id: string): Promise<void>;
  /** Ends an export; `null` = it has failed. May be repeated. False when the export no longer exists. */
  end(user: string, id: string, result: ExportResult | null): Promise<boolean>;
}

/** Begins an export, or returns the one that runs, because a second one would hold the same data. */
export async function requestExport(
  exports: ExportStore,
  user: string,
  request: RequestIdentity,
  now: number,
): Promise<ExportRecord> {
  const id = timeOrderedId(request, 0);
  const record: ExportRecord = {
    user_id: user,
    id,
    status: "running",
    created_at: toInstant(request.at),
    expires_at: toSeconds(request.at) + retention.exportRecord.seconds,
    attempts: 0,
  };
  for (let attempt = 0; attempt < 3; attempt++) {
    const latest = await exports.latest(user);
    const present = latest === null ? null : await exports.find(user, latest);
    if (present && (present.id === id || isRunning(present, now))) return present;
    if (await exports.begin(record, latest)) return record;
  }
  throw new AppError("unavailable", "other requests are starting exports of this user: try again", { retryAfter: 1 });
}

/** Finds an export that has not expired. Throws `not_found`. */
export async function findExport(exports: ExportStore, user: string, id: string, now: number): Promise<ExportRecord> {
  const record = await exports.find(user, id);
  if (!record || record.expires_at <= toSeconds(now)) throw new AppError("not_found", "no such export");
  return record.status === "running" && !isRunning(record, now) ? { ...record, status: "failed" } : record;
}

const isRunning = ({ status, created_at }: ExportRecord, now: number): boolean =>
  status === "running" && now - Date.parse(created_at) < MAX_RUNNING;
