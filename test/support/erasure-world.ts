import { createEraseJob } from "../../functions/jobs/erase.ts";
import { gateWrites } from "../../shared/dynamodb/gate-writes.ts";
import { createTable } from "../../shared/dynamodb/table.ts";
import { createLake } from "../../shared/lake/lake.s3.ts";
import { createPseudonyms } from "../../shared/lake/pseudonyms.ts";
import { createItemErasers } from "../../shared/privacy/erase-items.dynamodb.ts";
import { createLakeEraser } from "../../shared/privacy/erase-lake.ts";
import { createObjectErasers, createVersions, eraseUploads } from "../../shared/privacy/erase-objects.s3.ts";
import { createSessionEraser } from "../../shared/privacy/erase-sessions.dynamodb.ts";
import type { Receipt } from "../../shared/privacy/erasure.ts";
import { createErasureStore } from "../../shared/privacy/erasure-store.dynamodb.ts";
import { createPrivacyKey } from "../../shared/privacy/receipt.ts";
import { findReceipt, requestErasure } from "../../shared/privacy/request-erasure.ts";
import type { RunDependencies } from "../../shared/privacy/run-erasures.ts";
import type { Engines } from "./engines.ts";
import type { World } from "./world.ts";

/** Milliseconds after which requests that began before an erasure have ended. */
export const GRACE = 330_000;

/** Erasures in a world, with the calls of the job under the world's control. */
export function createErasureWorld(engines: Engines, world: World) {
  const { table, ungated, stores, s3 } = world;
  const metrics = gateWrites(createTable(world.faulty(engines.dynamodb), engines.metricsTable));
  const versions = createVersions(s3, engines.bucket);
  const lake = createLake(s3, engines.bucket);
  const eraseLakeRows = createLakeEraser(versions, lake, createPseudonyms("a key"));
  const key = createPrivacyKey("a secret");
  let runs = 0;
  const deps: RunDependencies = {
    erasures: createErasureStore(ungated),
    erasersOf: (user) => [
      createSessionEraser(table, stores, user),
      ...createItemErasers(table, metrics, world.exportTable, user),
      ...createObjectErasers(versions, user),
      eraseLakeRows(user),
    ],
    eraseUploads: (user) => eraseUploads(versions, world.files, user, stores.clock()),
    openKey: async () => key,
    clock: stores.clock,
    newId: () => `run ${runs++}`,
    grace: GRACE,
  };
  const job = createEraseJob(async () => deps);
  let requests = 0;

  return {
    deps,
    key,
    /** Runs the job once. */
    run: (remaining = 900_000) => job({}, { getRemainingTimeInMillis: () => remaining }),
    request: (user: string) => requestErasure(deps, user, { seed: `erasure ${requests++}`, at: stores.clock() }),
    receipt: (id: string): Promise<Receipt> => findReceipt(deps, id, "", true),

    /** Erases a user: the sweep, and the check when no earlier request runs any more. */
    async erase(user: string): Promise<Receipt> {
      const { id } = await this.request(user);
      await this.run();
      world.advance(GRACE);
      await this.run();
      return this.receipt(id);
    },
  };
}
