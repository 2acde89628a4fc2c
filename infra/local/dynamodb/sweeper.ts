import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { hasExpired, indexTtl } from "./ttl-index.ts";

/** Milliseconds above which a sweep is a long one, and how many times its duration the engine rests after it. */
const LONG_SWEEP = 250;
const REST = 2;

const answerSchema = z.object({ items_deleted: z.number() });

/**
 * Makes the function that deletes expired items and resolves with how many. It has the engine sweep only when something
 * has expired, one sweep at a time, and after a long one lets others have the engine for a while first.
 * @param db the engine's live database
 * @param callSweep tells the engine to sweep and resolves with its answer
 */
export function createSweeper(db: DatabaseSync, callSweep: () => Promise<string>): () => Promise<number> {
  let running: Promise<number> | undefined;
  let restUntil = 0;

  const sweep = async () => {
    indexTtl(db);
    if (!hasExpired(db)) return 0;
    const started = Date.now();
    const { items_deleted } = answerSchema.parse(JSON.parse(await callSweep()));
    const took = Date.now() - started;
    if (took > LONG_SWEEP) restUntil = Date.now() + took * REST;
    return items_deleted;
  };

  return async () => {
    if (Date.now() < restUntil) return 0;
    running ??= sweep().finally(() => {
      running = undefined;
    });
    return running;
  };
}
