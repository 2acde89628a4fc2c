import type { Context } from "aws-lambda";
import { loadConfig } from "../../shared/config.ts";
import { lazy } from "../../shared/http/lazy.ts";
import {
  type ReembedDependencies,
  type ReembedOptions,
  type ReembedResult,
  reembed,
} from "../../shared/memory/reembed.ts";
import { noRecorder, type Recorder } from "../../shared/metrics/record.ts";
import { openArchive } from "../dependencies/archive.ts";
import { configuredSpace, openMemories } from "../dependencies/memories.ts";
import { openRecorder } from "../dependencies/recorder.ts";
import { openStores } from "../dependencies/stores.ts";
import { openTable } from "../dependencies/table.ts";

/** Milliseconds that a run leaves unused, for the session that it is at. */
const MARGIN = 60_000;

interface Request extends ReembedOptions {
  /** Seconds after which it stops and says how far it has come. @default as long as the function may run */
  seconds?: number;
}

/** Invoked by `npm run reembed`, again and again until it is done. */
export const createReembedJob =
  (deps: ReembedDependencies, recorder: Pick<Recorder, "flush"> = noRecorder) =>
  async (
    { seconds = Number.POSITIVE_INFINITY, ...options }: Request,
    context: Pick<Context, "getRemainingTimeInMillis">,
  ): Promise<ReembedResult> => {
    const time = Math.min(seconds * 1000, context.getRemainingTimeInMillis() - MARGIN);
    try {
      return await reembed(deps, deps.clock() + time, options);
    } finally {
      await recorder.flush();
    }
  };

export const handler = lazy(() => {
  const settings = loadConfig();
  const table = openTable(settings);
  return createReembedJob(
    {
      ...openMemories(settings, table),
      stores: openStores(table, openArchive(settings)),
      wanted: { a: configuredSpace(settings, "a"), b: configuredSpace(settings, "b") },
    },
    openRecorder(settings),
  );
});
