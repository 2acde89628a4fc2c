import { lazyHandler } from "../compose.ts";
import { openFoldJob } from "./fold.ts";

/** Schedule: folds the months that have ended into monthly aggregates. */
export const handler = lazyHandler((config) => openFoldJob(config, "month"));
