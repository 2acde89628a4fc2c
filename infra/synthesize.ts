import path from "node:path";
import { App } from "aws-cdk-lib";
import { Code } from "aws-cdk-lib/aws-lambda";
import { addNag } from "./nag.ts";
import { addStacks } from "./stacks/memocha.ts";

/** Writes the cloud assembly, with the functions' bundles from `<bundles>/<function name>`. */
export function synthesize(bundles: string): void {
  const app = new App({ analyticsReporting: false });
  addStacks(app, (name) => Code.fromAsset(path.join(bundles, name)));
  addNag(app);
  app.synth();
}
