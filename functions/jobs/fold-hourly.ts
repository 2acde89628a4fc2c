import { lazy } from "../../shared/http/lazy.ts";
import { openFoldJob } from "../dependencies/fold.ts";

/** Schedule: folds the hours that have ended into hourly aggregates. */
export const handler = lazy(() => openFoldJob("hour"));
