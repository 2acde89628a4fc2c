import { it } from "vitest";
import { measureUnits } from "./bench/bench-costs.ts";
import { costTable } from "./support/cost-table.ts";
import { startEngines } from "./support/engines.ts";
import { expectPart } from "./support/generated-part.ts";

it("docs/costs.md has the bill that the measured units give (UPDATE_README=1 npm test writes it)", async () => {
  const engines = await startEngines();
  try {
    expectPart("costs.md", "costs", costTable(await measureUnits(engines)));
  } finally {
    await engines.close();
  }
}, 120_000);
