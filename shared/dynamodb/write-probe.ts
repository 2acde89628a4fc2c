import { type Clock, toSeconds } from "../clock.ts";
import { retention } from "../retention/policy.ts";
import { writeProbeKey } from "./keys.ts";
import type { Table } from "./table.ts";

/** Milliseconds after a successful write in which health checks do not write again. */
const FRESH = 5000;

/** Checks that the table accepts writes by writing a small item. The returned function throws when the write fails. */
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
