import { setTimeout as sleep } from "node:timers/promises";
import { counted } from "../../../shared/counted.ts";
import type { ReembedOptions, ReembedResult } from "../../../shared/memory/reembed.ts";
import { findDeployment, invokeFunction } from "../find-deployment.ts";
import { readInteger, runCommand } from "../run-command.ts";

const usage = `Rebuilds the vectors of all memories, after the embedding model or its dimensions have changed.

  npm run reembed [-- --dimensions N | --force] [--stage STAGE]

  --dimensions N  change to vectors of N dimensions; the slot that is not in use must have an index for them.
                  Nothing happens when searches already use vectors of N dimensions
  --force         rebuild also when model and dimensions have not changed
  --stage STAGE   the deployment on AWS (dev, prod), with the region and credentials of the AWS CLI
                  (default: the running local host)

Each memory has two slots for vectors, a and b, and each slot has its own index. The command fills the slot that is not
in use while searches use the other one. Then it switches searches to the new vectors, and removes the old ones.
You can stop it at any time. Started again, it continues where it stopped.
`;

/** Seconds of one invocation, after which the command prints the progress. */
const SECONDS = 20;

/** Milliseconds before the next invocation while functions may still search the old index. */
const CLEARING_WAIT = 2000;

const MAX_DIMENSIONS = 9999;

const options = {
  force: { type: "boolean", default: false },
  dimensions: { type: "string" },
  stage: { type: "string" },
} as const;

const STATES = { current: "nothing to do", building: "building", clearing: "clearing the old index", done: "done" };

await runCommand({ name: "reembed", usage, options }, async ({ force, stage, data, ...values }) => {
  const dimensions = readInteger(values.dimensions, "--dimensions", 1, MAX_DIMENSIONS);
  const { lambda, outputs, description } = await findDeployment({ stage, data });
  process.stdout.write(`Memories of ${description}\n`);
  let printed = "";
  for (let request: ReembedOptions = { force, dimensions }; ; request = {}) {
    const payload = { seconds: SECONDS, ...request };
    const result = (await invokeFunction(lambda, outputs.ReembedFunctionName, payload)) as ReembedResult;
    const line = formatResult(result);
    if (line !== printed) process.stdout.write(`${line}\n`);
    printed = line;
    if (result.state === "done" || result.state === "current") return 0;
    if (result.state === "clearing") await sleep(CLEARING_WAIT);
  }
});

function formatResult({ state, slot, space, progress }: ReembedResult): string {
  const line = `${STATES[state]} (${space.model}, ${space.dimensions} dimensions, index ${slot})`;
  if (!progress) return line;
  const { sessions, vectors, shards, of } = progress;
  return `${line}: ${counted(sessions, "session")}, ${counted(vectors, "vector")}, part ${shards} of ${of}`;
}
