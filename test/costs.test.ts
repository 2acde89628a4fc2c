import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { measureUnits } from "./bench/bench-costs.ts";
import { costTable } from "./support/cost-table.ts";
import { startEngines } from "./support/engines.ts";

const FILE = path.join(import.meta.dirname, "../docs/costs.md");
const PART = /<!-- costs -->\n[\s\S]*?<!-- \/costs -->/;

it("docs/costs.md has the bill that the measured units give (UPDATE_README=1 npm test writes it)", async () => {
  const engines = await startEngines();
  try {
    const document = readFileSync(FILE, "utf8");
    const current = `<!-- costs -->\n${costTable(await measureUnits(engines))}<!-- /costs -->`;
    if (process.env.UPDATE_README)
      writeFileSync(
        FILE,
        document.replace(PART, () => current),
      );
    else expect(PART.exec(document)?.[0]).toBe(current);
  } finally {
    await engines.close();
  }
}, 120_000);
