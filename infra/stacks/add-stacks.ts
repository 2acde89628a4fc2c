import path from "node:path";
import { App, Tags } from "aws-cdk-lib";
import { Code } from "aws-cdk-lib/aws-lambda";
import { readOptions } from "../stage.ts";
import { ApiStack } from "./api.ts";
import { DataStack } from "./data.ts";
import { JobsStack } from "./jobs.ts";
import type { CodeProvider } from "./memocha-function.ts";
import { addNag } from "./nag.ts";
import { ObservabilityStack } from "./observability.ts";

/** Throws if an option of the deployment is wrong. */
export function checkOptions(): void {
  // With `autoSynth`, the CDK would write the assembly of this empty app when the process exits.
  readOptions(new App({ analyticsReporting: false, autoSynth: false }).node);
}

/** Writes the cloud assembly, with the functions' bundles from `<bundles>/<function name>`. */
export function synthesize(bundles: string): void {
  const app = new App({ analyticsReporting: false });
  addStacks(app, (name) => Code.fromAsset(path.join(bundles, name)));
  addNag(app);
  app.synth();
}

/** Adds the four stacks of one stage to the app. Never change their ids, because CloudFormation would replace the stack. */
export function addStacks(app: App, code: CodeProvider) {
  const options = readOptions(app.node);
  const id = (part: string) => `Memocha-${options.stage.name}-${part}`;

  const data = new DataStack(app, id("Data"), { options });
  const runtime = { options, data, code };
  const jobs = new JobsStack(app, id("Jobs"), runtime);
  const api = new ApiStack(app, id("Api"), { ...runtime, deadLetters: jobs.deadLetters });
  const observability = new ObservabilityStack(app, id("Observability"), { options, data, api, jobs });

  Tags.of(app).add("project", "memocha");
  Tags.of(app).add("stage", options.stage.name);
  return { data, api, jobs, observability };
}
