import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createLakeCopy } from "../../infra/cli/sql/lake-copy.ts";
import { openLakeDatabase } from "../../infra/cli/sql/lake-database.ts";
import { createArchivedDays } from "../../shared/archive/archived-days.s3.ts";
import { buildLake } from "../../shared/lake/build-lake.ts";
import { createChangedDays } from "../../shared/lake/changed-days.dynamodb.ts";
import { createLake } from "../../shared/lake/lake.s3.ts";
import type { LakeContent } from "../../shared/lake/lake-content.ts";
import { createPseudonyms } from "../../shared/lake/pseudonyms.ts";
import { recentErasures } from "../../shared/privacy/erasure.ts";
import { createErasureStore } from "../../shared/privacy/erasure-store.dynamodb.ts";
import type { Engines } from "./engines.ts";
import { createStream } from "./stream.ts";
import { createWorld } from "./world.ts";

/** A world with a lake: the builder, the marks of changed days from the table's stream, and DuckDB to query the lake. */
export async function createLakeWorld(engines: Engines, options: { content?: LakeContent; maxSessions?: number } = {}) {
  const world = createWorld(engines);
  const nextRecords = await createStream(engines, "jobs-archive");
  const directory = mkdtempSync(path.join(tmpdir(), "memocha-lake-"));
  const database = await openLakeDatabase(createLakeCopy(engines.s3, engines.bucket, directory), options.content);
  const pseudonym = createPseudonyms("a key");
  const { content = "full", ...rest } = options;
  const ports = {
    archived: createArchivedDays(world.s3, engines.bucket),
    lake: createLake(world.s3, engines.bucket),
    changes: createChangedDays(world.table),
    findErasures: () => recentErasures(createErasureStore(world.ungated)),
    settings: { pseudonym, content, ...rest },
    clock: world.stores.clock,
  };
  const errors: unknown[] = [];

  return {
    world,
    ports,
    pseudonym,
    errors,

    /** Delivers new stream records to the archive job, as its event source mapping does. */
    async deliver(): Promise<void> {
      const Records = await nextRecords();
      const { batchItemFailures } = await world.archiveJob({ Records });
      if (batchItemFailures.length > 0) throw new Error("the archive job failed");
    },

    /** Creates a session with messages, lets it expire and archives it. */
    async archived(user: string, id: string, messages: number): Promise<void> {
      await world.create(user, id, 60, messages);
      world.advance(61_000);
      const record = await world.sweep(user, id);
      if (!record) throw new Error("nothing had expired");
      await world.archiveJob({ Records: [record] });
      await this.deliver();
    },

    /** The current day of this world. */
    day: () => new Date(world.stores.clock()).toISOString().slice(0, 10),

    build: () =>
      buildLake(ports, Number.POSITIVE_INFINITY, (_day, error) => {
        errors.push(error);
      }),

    async sql(text: string, parameters: string[] = []): Promise<Record<string, unknown>[]> {
      let last: Record<string, unknown>[] = [];
      for await (const { columns, rows } of database.query(text, parameters)) {
        last = rows.map((row) => Object.fromEntries(row.map((value, n) => [columns[n] ?? "", value])));
      }
      return last;
    },

    close(): void {
      database.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export type LakeWorld = Awaited<ReturnType<typeof createLakeWorld>>;
