import { type App, Tags } from "aws-cdk-lib";
import { readOptions } from "../stage.ts";
import { ApiStack } from "./api.ts";
import { DataStack } from "./data.ts";
import type { CodeProvider } from "./function.ts";
import { JobsStack } from "./jobs.ts";
import { ObservabilityStack } from "./observability.ts";

/** Adds the four stacks of one stage to the app. Their ids are contract: changed ones replace everything. */
export function addStacks(app: App, code: CodeProvider) {
  const options = readOptions(app.node);
  const id = (part: string) => `Memocha-${options.stage.name}-${part}`;

  const data = new DataStack(app, id("Data"), { options });
  const runtime = { options, data, code };
  const api = new ApiStack(app, id("Api"), runtime);
  const jobs = new JobsStack(app, id("Jobs"), runtime);
  const observability = new ObservabilityStack(app, id("Observability"), { options, data, api, jobs });

  Tags.of(app).add("project", "memocha");
  Tags.of(app).add("stage", options.stage.name);
  return { data, api, jobs, observability };
}
