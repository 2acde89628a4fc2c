import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { bundleFunctions } from "./bundle.ts";

// The CDK CLI runs this without options; the local host wants stack traces that name the sources on this machine.
const { values } = parseArgs({ options: { "sources-on-disk": { type: "boolean", default: false } } });

// Several syntheses may run at once, as beside a local host that starts; the assembly holds copies of the bundles.
const bundles = mkdtempSync(path.join(tmpdir(), "memocha-bundles-"));
process.on("exit", () => rmSync(bundles, { recursive: true, force: true }));

// The CDK takes as long to load as the bundles take to make.
const [{ synthesize }] = await Promise.all([
  import("./synthesize.ts"),
  bundleFunctions(bundles, { sourcesOnDisk: values["sources-on-disk"] }),
]);
synthesize(bundles);
