import { lazy } from "../../shared/http/lazy.ts";
import { openFoldJob } from "../dependencies/fold.ts";

/** Schedule: folds the months that have ended into monthly aggregates. */
export const handler = lazy(() => openFoldJob("month"));
