import { lazy } from "../../shared/http/lazy.ts";
import { openFoldJob } from "../dependencies/fold.ts";

/** Schedule: folds the days that have ended into daily aggregates. */
export const handler = lazy(() => openFoldJob("day"));
