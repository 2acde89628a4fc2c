import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { counted } from "../../../shared/counted.ts";
import type { ReembedOptions, ReembedResult } from "../../../shared/memory/reembed.ts";
import { findPlace } from "../find-deployment.ts";
import { invoke } from "../redrive/deliver-again.ts";
import { asUsageError, runCommand } from "../run-command.ts";

const USAGE = `Rebuilds the vectors of all memories, after the embedding model or its dimensions were changed.

  npm run reembed [-- --dimensions N | --force] [--stage STAGE | --data DIR]

  --dimensions N  change over to vectors of N dimensions, for which the slot that is not in use has an index;
                  nothing to do when searches use vectors of N dimensions already
  --force         rebuild also when model and dimensions are as configured
  --stage STAGE   the deployment (dev, prod) on AWS, with the region and credentials of the AWS CLI;
                  without it, the running local host
  --data DIR      the local host's data directory (default .memocha)
  --help

Memories have room for two vectors, each with an index of its own. The new ones are made from the messages in the one that
is not in use, while searches use the old ones; then searches change over, and the old ones are taken away. It may be
stopped at any time, and goes on where it stopped when it is started again.

Exit code: 0 = done, or nothing to do, 1 = something went wrong, 2 = wrong usage.
`;

/** Seconds of one invocation: how often it says how far it has come. */
const SECONDS = 20;

await runCommand("reembed", main);

async function main(args: string[]): Promise<number> {
  const { help, data, stage, force, dimensions } = readOptions(args);
  if (help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const { lambda, reembedFunctionName, description } = await findPlace({ data, ...(stage !== undefined && { stage }) });
  process.stdout.write(`Memories of ${description}\n`);
  let said = "";
  for (let asked: ReembedOptions = { force, dimensions }; ; asked = {}) {
    const result = (await invoke(lambda, reembedFunctionName, { seconds: SECONDS, ...asked })) as ReembedResult;
    if (lineOf(result) !== said) process.stdout.write(`${lineOf(result)}\n`);
    said = lineOf(result);
    if (result.state === "done" || result.state === "current") return 0;
    // Functions may still search the old index for a moment.
    if (result.state === "clearing") await sleep(2000);
  }
}

function lineOf({ state, slot, space, progress }: ReembedResult): string {
  const what = `${space.model}, ${space.dimensions} dimensions, index ${slot}`;
  const far = progress
    ? `: ${counted(progress.sessions, "session")}, ${counted(progress.vectors, "vector")}, part ${progress.shards} of ${progress.of}`
    : "";
  return `${{ current: "nothing to do", building: "building", clearing: "clearing the old index", done: "done" }[state]} (${what})${far}`;
}

function readOptions(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        help: { type: "boolean", default: false },
        force: { type: "boolean", default: false },
        dimensions: { type: "string" },
        data: { type: "string", default: ".memocha" },
        stage: { type: "string" },
      },
    });
    return { ...values, dimensions: values.dimensions === undefined ? undefined : dimensionsOf(values.dimensions) };
  } catch (error) {
    return asUsageError(error);
  }
}

function dimensionsOf(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new Error(`--dimensions must be a whole number of dimensions, not "${text}"`);
}
