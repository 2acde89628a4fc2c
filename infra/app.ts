import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { bundleFunctions } from "./bundle.ts";

// Several syntheses may run at once, as beside a local host that starts; the assembly holds copies of the bundles.
const bundles = mkdtempSync(path.join(tmpdir(), "memocha-bundles-"));
process.on("exit", () => rmSync(bundles, { recursive: true, force: true }));

// The CDK takes as long to load as the bundles take to make.
const [{ synthesize }] = await Promise.all([import("./synthesize.ts"), bundleFunctions(bundles)]);
synthesize(bundles);
