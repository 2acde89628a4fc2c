import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from "aws-lambda";
import pMap from "p-map";
import { ANCHOR, FILE_PREFIX, HEADER, parseSessionKey } from "../../shared/dynamodb/keys.ts";
import { createChangedDays } from "../../shared/lake/changed-days.dynamodb.ts";
import type { ChangedDays } from "../../shared/lake/lake.ts";
import { log } from "../../shared/log.ts";
import type { Metric } from "../../shared/metrics/metric.ts";
import { noRecorder } from "../../shared/metrics/recorder.ts";
import { archiveSession } from "../../shared/session/archive-session.ts";
import { purgeExpiredArchive } from "../../shared/session/delete-session.ts";
import { fromHeaderImage } from "../../shared/session/items.dynamodb.ts";
import { limitSessions } from "../../shared/session/limit-sessions.ts";
import type { SessionRecord } from "../../shared/session/session.ts";
import type { Stores } from "../../shared/session/store.ts";
import { lazyHandler, openRecorder, openStores, openTable } from "../compose.ts";
import { createBatch } from "./middleware.ts";

/** Sessions that are archived at the same time. */
const PARALLEL = 10;

/**
 * Stream consumer of the table of conversations. What it does depends on the record:
 * - TTL has deleted a header: archives the session, or deletes it if it is incognito.
 * - TTL has deleted a stub: deletes the rest of the session, because its archive has expired.
 * - TTL has deleted a file's item: deletes the file's content.
 * - A header is new, or a restore has ended: applies the limit of sessions to the user.
 * - Any other record: an archive object was written, replaced or deleted, so the lake must build its day again.
 *
 * Records are independent of each other, and each may be delivered again.
 * @param maxSessions the limit of active sessions per user; 0 = no limit
 */
export const createArchiveJob =
  (stores: Stores, changes: Pick<ChangedDays, "mark">, recorder = noRecorder, maxSessions = 0) =>
  async ({ Records }: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> => {
    const files = Records.filter(isFile);
    const expired = Records.filter((record) => isExpiry(record) && !isFile(record));
    const changed = Map.groupBy(
      Records.filter((record) => !isExpiry(record) && !isNewHeader(record)),
      dayOf,
    );
    const begun = Map.groupBy(Records.filter(hasBegun), userOf);
    const batch = createBatch("archive");
    let lag = 0;
    for (const [day, records] of changed) {
      if (day !== undefined) await attempt(records, () => changes.mark([day]));
    }
    for (const [user, records] of maxSessions > 0 ? begun : []) {
      const ids = new Set(records.map(({ dynamodb }) => parseSessionKey(dynamodb?.Keys?.pk?.S ?? "").id));
      await attempt(records, async () => {
        const expired = await limitSessions(stores, user, maxSessions, ids);
        if (expired > 0) log("info", { job: "archive", beyond_limit: expired });
      });
    }
    await Promise.all(files.map((record) => attempt([record], () => removeContent(stores, record))));
    await pMap(
      expired,
      (record) =>
        attempt([record], async () => {
          const session = await finish(stores, record);
          lag = Math.max(lag, stores.clock() - (session.expires_at ?? 0) * 1000);
          if (session.status === "active") recorder.note(endOf(session));
        }),
      { concurrency: PARALLEL },
    );
    await recorder.flush();
    if (expired.length > 0)
      log("info", { job: "archive", sessions: expired.length, ttl_lag_s: Math.round(lag / 1000) });
    return batch.response;

    function attempt(records: readonly DynamoDBRecord[], step: () => Promise<void>): Promise<void> {
      const [first] = records;
      return batch.attempt({ records, user: first ? userOf(first) : "", event: first?.eventID }, step);
    }
  };

const isExpiry = ({ eventName, userIdentity }: DynamoDBRecord): boolean =>
  eventName === "REMOVE" && userIdentity?.principalId === "dynamodb.amazonaws.com";

const isNewHeader = ({ eventName, dynamodb }: DynamoDBRecord): boolean =>
  eventName === "INSERT" && dynamodb?.Keys?.sk?.S === HEADER && dynamodb.NewImage?.status?.S !== "archived";

/** Whether a session has become active: it is new, or its restore has finished the cleanup. */
const hasBegun = (record: DynamoDBRecord): boolean =>
  isNewHeader(record) || (record.dynamodb?.Keys?.sk?.S === ANCHOR && record.dynamodb.NewImage?.state?.S === "active");

const isFile = ({ dynamodb }: DynamoDBRecord): boolean => dynamodb?.Keys?.sk?.S?.startsWith(FILE_PREFIX) === true;

function removeContent({ files }: Stores, record: DynamoDBRecord): Promise<void> {
  return files.removeContent(userOf(record), record.dynamodb?.Keys?.sk?.S?.slice(FILE_PREFIX.length) ?? "");
}

/** Returns the day of the archive to which the item's session belongs. */
function dayOf({ dynamodb }: DynamoDBRecord): string | undefined {
  return (dynamodb?.NewImage ?? dynamodb?.OldImage)?.created_at?.S?.slice(0, "2026-11-21".length);
}

/** Returns the user of the session that a record is about. */
const userOf = ({ dynamodb }: DynamoDBRecord): string => parseSessionKey(dynamodb?.Keys?.pk?.S ?? "").user;

/** The results of `archiveSession` in the run that ends a session. */
const ENDED = ["archived", "discarded"];

/** Finishes an expired session or stub, and returns its record. If an earlier run has finished it, the status is `archived`. */
async function finish(stores: Stores, { dynamodb }: DynamoDBRecord): Promise<SessionRecord> {
  if (!dynamodb?.OldImage) throw new Error("the record has no old image");
  const record = fromHeaderImage(dynamodb.OldImage as Parameters<typeof fromHeaderImage>[0]);
  if (record.status !== "active") await purgeExpiredArchive(stores, record);
  else if (!ENDED.includes(await archiveSession(stores, record))) return { ...record, status: "archived" };
  return record;
}

/** The metric of a session that has ended. Only the run that ends the session records it. If that run is killed before, there is no metric. */
function endOf({ created_at, updated_at, message_count, user_id }: SessionRecord): Metric {
  const length_s = Math.max(0, Math.round((Date.parse(updated_at) - Date.parse(created_at)) / 1000));
  return { kind: "session.end", dimensions: {}, measures: { length_s, messages: message_count }, user: user_id };
}

export const handler = lazyHandler((config) => {
  const table = openTable(config);
  return createArchiveJob(
    openStores(config, table),
    createChangedDays(table),
    openRecorder(config),
    config.MAX_SESSIONS_PER_USER,
  );
});
