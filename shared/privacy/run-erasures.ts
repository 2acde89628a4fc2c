import pMap from "p-map";
import { type Clock, toInstant } from "../clock.ts";
import { URL_SECONDS } from "../files/file.ts";
import type { NewId } from "../random.ts";
import type { Eraser, ErasureStore, OpenErasure, Receipt } from "./erasure.ts";
import type { PrivacyKey } from "./receipt.ts";
import { remainsOf } from "./registry.ts";

/** Erasures that one run works on at the same time. */
const PARALLEL = 4;

/** Milliseconds of the lease of an erasure. The worker renews it between two steps. After a crash, another worker takes over. */
const LEASE = 120_000;

/** Milliseconds that a step may take, so that the lease is renewed in time. */
const STEP = 60_000;

/** Maximum number of passes over all stores in one run. Another pass follows while a pass finds something. */
const MAX_PASSES = 10;

/**
 * Requests that are refused during the erasure leave new records in these stores. After this number of passes, the receipt names them
 * instead, because a client that keeps sending requests would otherwise prevent the end of the erasure.
 */
const MAX_PASSES_FOR_REFUSED_REQUESTS = 3;
const STORES_OF_REFUSED_REQUESTS = new Set(["idempotency records", "usage"]);

/** Milliseconds after which URLs that were signed before the erasure are invalid, with a margin for an upload that has begun. */
const LATE = (URL_SECONDS + 900) * 1000;

export interface RunDependencies {
  erasures: ErasureStore;
  erasersOf(user: string): readonly Eraser[];
  /** Erases contents of files that were uploaded with URLs from before the erasure. */
  eraseUploads(user: string): Promise<void>;
  openKey: () => Promise<Pick<PrivacyKey, "sign" | "subjectOf">>;
  clock: Clock;
  newId: NewId;
  /** Milliseconds after which every request that began before an erasure has ended. */
  grace: number;
}

/**
 * Works on all open erasures until `deadline` (epoch ms). A run may end at any point, and another one continues: it searches again, and
 * does not find what is erased. Returns the number of receipts that were signed.
 */
export async function runErasures(
  deps: RunDependencies,
  deadline: number,
  report: (error: unknown, id: string) => void,
): Promise<number> {
  const { erasures, clock } = deps;
  const holder = deps.newId();
  const waiting = (await erasures.open()).filter((erasure) => clock() >= dueAt(erasure, deps.grace));
  let completed = 0;
  await pMap(
    waiting,
    async ({ id }) => {
      if (clock() >= deadline) return;
      try {
        // Another worker may have continued or completed it since it was listed.
        const erasure = await erasures.lease(id, holder, clock(), clock() + LEASE);
        if (!erasure) return;
        try {
          if (clock() >= dueAt(erasure, deps.grace) && (await advance(deps, erasure, holder, deadline))) completed++;
        } finally {
          await erasures.release(id, holder);
        }
      } catch (error) {
        report(error, id);
      }
    },
    { concurrency: PARALLEL },
  );
  return completed;
}

/** Epoch milliseconds from which the next stage can run. */
function dueAt({ stage, since }: OpenErasure, grace: number): number {
  return since + { sweep: 0, check: grace, late: LATE }[stage];
}

/** Works on one erasure. Returns whether its receipt was signed. */
async function advance(
  deps: RunDependencies,
  erasure: OpenErasure,
  holder: string,
  deadline: number,
): Promise<boolean> {
  const { erasures, clock } = deps;
  if (erasure.stage === "late") {
    await deps.eraseUploads(erasure.user);
    await erasures.close(erasure.id);
    return false;
  }
  const checked: Record<string, { remaining: number; at: number }> = {};
  const save = () => erasures.save(erasure, holder, clock() + LEASE);
  const erasers = deps.erasersOf(erasure.user);
  if (erasure.stage === "sweep") {
    if ((await pass(false)) === "over") return false;
    erasure.stage = "check";
    if (!(await save()) || clock() < dueAt(erasure, deps.grace)) return false;
  }
  for (let n = 0; n < MAX_PASSES; n++) {
    const found = await pass(true);
    if (found === "over") return false;
    if (found.every((name) => n >= MAX_PASSES_FOR_REFUSED_REQUESTS && STORES_OF_REFUSED_REQUESTS.has(name)))
      return complete();
  }
  return false;

  /** Searches every store once, and erases what it finds. Returns the names of the stores in which it found something. */
  async function pass(isFinal: boolean): Promise<string[] | "over"> {
    const names: string[] = [];
    for (const eraser of erasers) {
      for (let isErased = false; !isErased; ) {
        if (clock() > deadline) return "over";
        const stored = await eraser.search(isFinal);
        for (const [name, count] of Object.entries(stored)) {
          note(name, count);
          checked[name] = { remaining: count, at: clock() };
          if (count > 0) names.push(name);
        }
        if (!(await save())) return "over";
        if (Object.values(stored).every((count) => count === 0)) break;
        const until = Math.min(deadline, clock() + STEP);
        isErased = await eraser.erase(isFinal, () => clock() > until);
        if (isErased)
          for (const [name, count] of Object.entries(erasure.counts)) if (name in stored) count.erased = count.found;
      }
    }
    return (await save()) ? names : "over";
  }

  /** Updates the counts of a store that holds `stored` things now. Things that an earlier step has erased still count as found. */
  function note(name: string, stored: number): void {
    const { found = 0, erased = 0 } = erasure.counts[name] ?? {};
    const total = Math.max(found, erased + stored);
    erasure.counts[name] = { found: total, erased: total - stored };
  }

  async function complete(): Promise<boolean> {
    const key = await deps.openKey();
    const now = clock();
    const stores = Object.entries(checked).map(([name, { remaining, at }]) => {
      const found = Math.max(erasure.counts[name]?.found ?? 0, remaining);
      return { name, found, erased: found - remaining, remaining, checked_at: toInstant(at) };
    });
    const receipt: Omit<Receipt, "signature"> = {
      id: erasure.id,
      status: "complete",
      subject: key.subjectOf(erasure.user),
      requested_at: toInstant(requestedAt(erasure.id)),
      completed_at: toInstant(now),
      stores,
      remains: remainsOf({ since: erasure.since, now }, new Set(Object.keys(checked))),
    };
    return erasures.complete(erasure, key.sign(receipt), holder);
  }
}

/** The time in the id, which is a UUIDv7. */
const requestedAt = (id: string): number => Number.parseInt(id.replace("-", "").slice(0, 12), 16);
