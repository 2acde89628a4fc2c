import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tables } from "../../../shared/lake/tables.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createLakeWorld, type LakeWorld } from "../../support/lake-world.ts";

const text = readFileSync(path.join(import.meta.dirname, "../../../docs/analysts.md"), "utf8");
const questions = [...text.matchAll(/\*\*(\d+\. [^*]+)\*\*[\s\S]*?```sql\n([^`]+)```/g)].map(
  ([, title = "", sql = ""]) => ({
    title,
    sql,
  }),
);

let engines: Engines;
let lake: LakeWorld;

beforeAll(async () => {
  engines = await startEngines();
  lake = await createLakeWorld(engines);
  await lake.archived("ann", "asked", 3);
  await lake.build();
});
afterAll(async () => {
  lake.close();
  await engines.close();
});

describe("docs/analysts.md", () => {
  it("asks ten questions", () => {
    expect(questions.map(({ title }) => Number.parseInt(title, 10))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it.each(questions)("$title has an answer that runs", async ({ sql }) => {
    await expect(lake.sql(sql)).resolves.toBeInstanceOf(Array);
  });

  it("has a query that compares the archive with the lake, which are equal", async () => {
    const [sql = ""] = [...text.matchAll(/```sql\n([^`]+)```/g)].map(([, each]) => each).slice(-1);
    expect(await lake.sql(sql.replaceAll("2026-11-20", "2026-11-21"))).toEqual([{ archived: 3, built: 3 }]);
  });

  it.each(Object.entries(tables))("explains every column of %s", (_name, { columns }) => {
    for (const { name } of columns) expect(text).toContain(`| \`${name}\` |`);
    for (const { comment } of columns) expect(text).toContain(comment);
  });
});
