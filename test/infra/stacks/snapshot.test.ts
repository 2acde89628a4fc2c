import { describe, expect, it } from "vitest";
import { synthesize } from "../synthesize.ts";

/** The template without values that change while the system stays the same: hashes of assets, the version. */
const scrubbed = (template: object): object =>
  JSON.parse(
    JSON.stringify(template)
      .replaceAll(/[0-9a-f]{64}/g, "asset-hash")
      .replaceAll(/("MEMOCHA_VERSION":)"[^"]+"/g, '$1"version"'),
  );

describe.each(["dev", "prod"])("the templates of %s", (stage) => {
  const templates = synthesize({ stage });

  it.each(["data", "api", "jobs", "observability"] as const)("equal their snapshot: %s", async (stack) => {
    const text = JSON.stringify(scrubbed(templates[stack].toJSON()), null, 2);
    await expect(`${text}\n`).toMatchFileSnapshot(`__snapshots__/${stage}-${stack}.template.json`);
  });
});
