import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createLakeWorld, type LakeWorld } from "../../support/lake.ts";

let engines: Engines;
let lake: LakeWorld;

beforeAll(async () => {
  engines = await startEngines();
  lake = await createLakeWorld(engines);
});
afterAll(async () => {
  lake.close();
  await engines.close();
});

describe("the lake", () => {
  it("holds the messages of an archived session, which DuckDB reads", async () => {
    await lake.archived("ann", "first", 3);
    expect(await lake.build()).toMatchObject({ days: 1, partitions: 2, rows: 4, failed: 0 });
    const rows = await lake.sql(
      "select session_id, position, role, content, dt, user_hash from messages order by position",
    );
    const who = lake.pseudonym("ann");
    expect(rows).toEqual(
      [0, 1, 2].map((n) => ({
        session_id: "first",
        position: n,
        role: "user",
        content: `message ${n} of first`,
        dt: "2026-11-21",
        user_hash: who,
      })),
    );
  });
});
