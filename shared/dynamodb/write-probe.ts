import { type Clock, toSeconds } from "../clock.ts";
import { retention } from "../retention/policy.ts";
import { writeProbeKey } from "./keys.ts";
import type { Table } from "./table.ts";

/** Milliseconds for which one successful write is enough, so that frequent health checks do not write each time. */
const FRESH = 5000;

/** Writes a small item to find out whether the table takes writes. Throws if it does not. */
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
