import { counted } from "../../shared/counted.ts";
import { createFileStore } from "../../shared/files/file-store.dynamodb.ts";
import { createLake } from "../../shared/lake/lake.s3.ts";
import { log, logFailure } from "../../shared/log.ts";
import { createAccountEraser } from "../../shared/privacy/erase-account.aws.ts";
import { createDeadLetterEraser } from "../../shared/privacy/erase-dead-letters.aws.ts";
import { createItemErasers } from "../../shared/privacy/erase-items.dynamodb.ts";
import { createLakeEraser } from "../../shared/privacy/erase-lake.ts";
import { createObjectErasers, createVersions, eraseUploads } from "../../shared/privacy/erase-objects.s3.ts";
import { createSessionEraser } from "../../shared/privacy/erase-sessions.dynamodb.ts";
import { type RunDependencies, runErasures } from "../../shared/privacy/run-erasures.ts";
import { randomId } from "../../shared/random.ts";
import { createS3 } from "../../shared/s3/create-s3.ts";
import {
  clock,
  lazyHandler,
  openErasures,
  openExportTable,
  openMetricsTable,
  openPseudonyms,
  openStores,
  openTable,
} from "../compose.ts";
import { deadlineOf, openJobBook, type Running, recordSuccess } from "./middleware.ts";

/** Milliseconds at the end of a run in which it begins no step. */
const MARGIN = 90_000;

/** Milliseconds after the longest request after which an erasure is overdue. It usually takes a few minutes. */
const OVERDUE = 3_600_000;

/** Schedule: works on the running erasures. Returns false if an erasure is overdue after the run: then there is no success, and an alarm. */
export function createEraseJob(open: () => Promise<RunDependencies>) {
  return async (_event: unknown, context: Running): Promise<boolean> => {
    const deps = await open();
    const deadline = deadlineOf(deps.clock, context, MARGIN);
    const completed = await runErasures(deps, deadline, (error, id) =>
      logFailure(error, { job: "erase", erasure: id }),
    );
    const running = (await deps.erasures.open()).filter(({ stage }) => stage !== "late");
    const overdue = running.filter(({ since }) => deps.clock() > since + deps.grace + OVERDUE);
    if (completed + running.length > 0) log("info", { job: "erase", completed, running: running.length });
    if (overdue.length === 0) return true;
    log("error", {
      job: "erase",
      message: `${counted(overdue.length, "erasure")} should have ended more than an hour ago`,
    });
    return false;
  };
}

export const handler = lazyHandler((config) => {
  const [table, metrics, s3] = [openTable(config), openMetricsTable(config), createS3()];
  const exports = openExportTable(config);
  const eraseAccount = config.USER_POOL_ID === "" ? undefined : createAccountEraser(config.USER_POOL_ID);
  const eraseDeadLetters = createDeadLetterEraser(config.DEAD_LETTERS_URL);
  const versions = createVersions(s3, config.ARCHIVE_BUCKET);
  const lake = createLake(s3, config.ARCHIVE_BUCKET);
  const stores = openStores(config, table);
  const files = createFileStore(table);
  const pseudonyms = openPseudonyms(config);
  const erasures = openErasures(config);
  const job = createEraseJob(async () => {
    const eraseLakeRows = createLakeEraser(versions, lake, await pseudonyms());
    return {
      ...erasures,
      erasersOf: (user) => [
        createSessionEraser(table, stores, user),
        ...createItemErasers(table, metrics, exports, user),
        ...createObjectErasers(versions, user),
        eraseLakeRows(user),
        eraseDeadLetters(user),
        ...(eraseAccount ? [eraseAccount(user)] : []),
      ],
      eraseUploads: (user) => eraseUploads(versions, files, user, clock()),
      newId: randomId,
      grace: config.LONGEST_REQUEST * 1000,
    };
  });
  return recordSuccess("jobs-erase", openJobBook(config), job);
});
