import { counted } from "../../shared/counted.ts";
import { log, logFailure } from "../../shared/log.ts";
import { reconcile } from "../../shared/session/reconcile.ts";
import type { Stores } from "../../shared/session/store.ts";
import { lazyHandler, openStores, openTable } from "../compose.ts";
import { deadlineOf, openJobBook, type Running, recordSuccess } from "./middleware.ts";

/** Milliseconds at the end of a run in which it only finishes the sessions that it has begun. */
const MARGIN = 30_000;

/** Schedule: finishes interrupted archivers, restores and deletions. Fails when it cannot finish a session. */
export const createReconcileJob =
  (stores: Stores) =>
  async (_event: unknown, context: Running): Promise<void> => {
    const deadline = deadlineOf(stores.clock, context, MARGIN);
    const result = await reconcile(stores, deadline, (error, { user, id }) =>
      logFailure(error, { job: "reconcile", user, session: id }),
    );
    log("info", { job: "reconcile", ...result });
    if (result.failed > 0) throw new Error(`${counted(result.failed, "session")} could not be finished`);
  };

export const handler = lazyHandler((config) => {
  return recordSuccess(
    "jobs-reconcile",
    openJobBook(config),
    createReconcileJob(openStores(config, openTable(config))),
  );
});
