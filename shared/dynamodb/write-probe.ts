import { type Clock, toSeconds } from "../clock.ts";
import { retention } from "../retention/policy.ts";
import { writeProbeKey } from "./keys.ts";
import type { Table } from "./table.ts";

/** Milliseconds for which a function instance relies on a write that has succeeded: one write unit costs little, but not nothing. */
const FRESH = 5000;

/** Finds out whether the table takes writes, by a small one. Throws when it does not. */
export function createWriteProbe(table: Pick<Table, "put">, clock: Clock): () => Promise<void> {
  let until = 0;
  return async () => {
    const now = clock();
    if (now < until) return;
    const expires_at = toSeconds(now) + retention.writeProbe.seconds;
    await table.put({ Item: { ...writeProbeKey, expires_at } });
    until = now + FRESH;
  };
}
