import {
  type ReembedDependencies,
  type ReembedOptions,
  type ReembedResult,
  reembed,
} from "../../shared/memory/reembed.ts";
import { noRecorder, type Recorder } from "../../shared/metrics/recorder.ts";
import { lazyHandler, openRecorder, openStores, openTable } from "../compose.ts";
import { configuredSpace, createLazyOpenAIEmbedder, openMemories } from "../compose-chat.ts";
import { deadlineOf, type Running } from "./middleware.ts";

/** Milliseconds at the end of a run in which it begins no session. */
const MARGIN = 60_000;

interface Request extends ReembedOptions {
  /** Seconds after which the run stops and returns its progress. @default as long as the function may run */
  seconds?: number;
}

/** Creates new vectors for memories. `npm run reembed` invokes it until all have one. */
const createReembedJob =
  (deps: ReembedDependencies, recorder: Pick<Recorder, "flush"> = noRecorder) =>
  async ({ seconds = Number.POSITIVE_INFINITY, ...options }: Request, context: Running): Promise<ReembedResult> => {
    const deadline = Math.min(deps.clock() + seconds * 1000, deadlineOf(deps.clock, context, MARGIN));
    try {
      return await reembed(deps, deadline, options);
    } finally {
      await recorder.flush();
    }
  };

export const handler = lazyHandler((config) => {
  const table = openTable(config);
  return createReembedJob(
    {
      ...openMemories(config, table, createLazyOpenAIEmbedder),
      stores: openStores(config, table),
      wanted: { a: configuredSpace(config, "a"), b: configuredSpace(config, "b") },
    },
    openRecorder(config),
  );
});
