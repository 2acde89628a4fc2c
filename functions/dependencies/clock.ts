import type { Clock } from "../../shared/clock.ts";

/** The machine's clock. */
export const clock: Clock = Date.now;
