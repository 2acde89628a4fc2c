import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { App } from "aws-cdk-lib";
import { Code } from "aws-cdk-lib/aws-lambda";
import { bundleFunctions } from "./bundle.ts";
import { addNag } from "./nag.ts";
import { addStacks } from "./stacks/memocha.ts";

// Several syntheses may run at once, as beside a local host that starts; the assembly holds copies of the bundles.
const bundles = mkdtempSync(path.join(tmpdir(), "memocha-bundles-"));
process.on("exit", () => rmSync(bundles, { recursive: true, force: true }));
await bundleFunctions(bundles);

const app = new App({ analyticsReporting: false });
addStacks(app, (name) => Code.fromAsset(path.join(bundles, name)));
addNag(app);
app.synth();
