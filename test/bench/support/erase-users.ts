import { setTimeout as sleep } from "node:timers/promises";
import pMap from "p-map";
import type { Receipt } from "../../../shared/privacy/erasure.ts";
import { caller } from "./caller.ts";
import { markOf, userIdOf } from "./find-marks.ts";
import type { HostProcess } from "./host-process.ts";
import { createOperator } from "./operator.ts";
import { printTable } from "./print-table.ts";
import { say, seconds, until } from "./progress.ts";

/** Milliseconds from the request of an erasure until no request that began before runs any more. */
const GRACE = 330_000;

interface Options {
  data: string;
  /** Whether not to wait for requests that began before. */
  quick: boolean;
  signal: AbortSignal;
}

/** Erases users while others write. Returns the number of faults. */
export async function eraseUsers(
  host: HostProcess,
  { data, quick, signal }: Options,
  gone: readonly number[],
  others: readonly number[],
): Promise<number> {
  const began = performance.now();
  const counts = { refused: 0, accepted: 0, written: 0, remaining: 0 };
  const over = new AbortController();
  const writing = pMap(
    Array.from({ length: 4 }, (_, n) => n),
    async (n) => {
      for (let turn = n; !over.signal.aborted && !signal.aborted; turn += 4) {
        const user = others[turn % others.length] ?? 0;
        const call = await caller(host, data, userIdOf(user));
        const content = `I go on with ${markOf(user, "said during the erasure")}.`;
        await call("POST", `/v1/sessions/${markOf(user, "session active")}/messages`, { role: "user", content });
        counts.written++;
        await sleep(20);
      }
    },
  );
  writing.catch(() => undefined);
  const erasures = new Map<number, string>();
  await pMap(
    gone,
    async (user) => {
      const call = await caller(host, data, userIdOf(user));
      const twice = await Promise.all([call("POST", "/v1/erasures", {}), call("POST", "/v1/erasures", {})]);
      const [id] = new Set(twice.map(({ body }) => String(body.id)));
      erasures.set(user, id ?? "");
      for (const route of [`/v1/sessions/${markOf(user, "session active")}/messages`, "/v1/sessions/new/messages"]) {
        const { status } = await call("POST", route, { role: "user", content: "I am still here." }, { status: 409 });
        if (status === 409) counts.refused++;
        else counts.accepted++;
      }
    },
    { concurrency: 8 },
  );
  say(`${gone.length} erasures are requested${quick ? "" : "; they wait 330 s for earlier requests"}`);
  const operator = createOperator(host, data);
  if (quick) {
    await operator.run("jobs-erase");
    await operator.ageErasures(GRACE);
  }
  const receipts = new Map<number, Receipt>();
  await until(
    async () => {
      if (quick) await operator.run("jobs-erase");
      for (const [user, id] of erasures) {
        if (receipts.has(user)) continue;
        const { body } = await (await caller(host, data, userIdOf(user)))("GET", `/v1/erasures/${id}`);
        if (body.status === "complete") receipts.set(user, body);
      }
      return receipts.size === gone.length || `${receipts.size} of ${gone.length} erasures are complete`;
    },
    signal,
    10_000,
  );
  operator.close();
  over.abort();
  await writing;
  const stores = new Map<string, { found: number; remaining: number }>();
  for (const { name, found, remaining } of [...receipts.values()].flatMap((receipt) => receipt.stores)) {
    const sum = stores.get(name) ?? { found: 0, remaining: 0 };
    stores.set(name, { found: sum.found + found, remaining: sum.remaining + remaining });
    counts.remaining += remaining;
  }
  printTable(
    `The receipts of ${gone.length} erasures, complete after ${seconds(began)} s`,
    ["", "found", "remaining"],
    [...stores].map(([name, { found, remaining }]) => [name, found, remaining]),
  );
  printTable(
    "Requests during the erasures",
    ["", ""],
    [
      ["writes of erased users, refused with 409", counts.refused],
      ["  accepted", counts.accepted],
      ["writes of others, accepted", counts.written],
    ],
  );
  return counts.accepted + counts.remaining;
}
