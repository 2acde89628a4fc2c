import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { bundleFunctions } from "./bundle/bundle-functions.ts";

// The CDK CLI runs this file without options. The local host passes the option, so that stack traces name the sources on this machine.
const { values } = parseArgs({ options: { "sources-on-disk": { type: "boolean", default: false } } });

// Each run has its own directory, because several may run at once. The assembly holds copies of the bundles.
const bundles = mkdtempSync(path.join(tmpdir(), "memocha-bundles-"));
process.on("exit", () => rmSync(bundles, { recursive: true, force: true }));

/** Loads the CDK, and checks the options of the deployment. */
async function loadStacks() {
  const stacks = await import("./stacks/add-stacks.ts");
  stacks.checkOptions();
  return stacks;
}

// Load the CDK while esbuild works: each takes seconds. An option that is wrong ends both.
const [{ synthesize }] = await Promise.all([
  loadStacks(),
  bundleFunctions(bundles, { sourcesOnDisk: values["sources-on-disk"] }),
]);
synthesize(bundles);
