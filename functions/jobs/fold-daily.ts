import { lazyHandler } from "../compose.ts";
import { openFoldJob } from "./fold.ts";

/** Schedule: folds the days that have ended into daily aggregates. */
export const handler = lazyHandler((config) => openFoldJob(config, "day"));
