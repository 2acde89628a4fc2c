import { lazyHandler } from "../compose.ts";
import { openFoldJob } from "./fold.ts";

/** Schedule: folds the hours that have ended into hourly aggregates. */
export const handler = lazyHandler((config) => openFoldJob(config, "hour"));
