import { parseArgs } from "node:util";
import { findPlace } from "../find-deployment.ts";
import { asUsageError, runCommand } from "../run-command.ts";
import { redrive } from "./redrive-queue.ts";

const USAGE = `Delivers dead letters again: what a job failed on for good and left in the dead-letter queue.

  npm run redrive [-- --list] [--stage STAGE | --data DIR] [--queue NAME]

  --list         only show what is in the queue
  --stage STAGE  the deployment (dev, prod) on AWS, with the region and credentials of the AWS CLI;
                 without it, the running local host
  --data DIR     the local host's data directory (default .memocha)
  --queue NAME   another queue than the deployment's dead-letter queue
  --help

Stream records are read again from the stream and handed to the function that failed on them; where the stream,
which keeps them for a day, no longer has them, the reconciler is run instead. Other events are handed to their
function as they were. What succeeds is deleted from the queue, what fails again stays. Jobs may see a record
twice without harm, so this can be run at any time, and as often as it takes.

Exit code: 0 = the queue is empty, or was listed, 1 = something is left or went wrong, 2 = wrong usage.
`;

await runCommand("redrive", main);

async function main(args: string[]): Promise<number> {
  const { help, list, data, queue, stage } = readOptions(args);
  if (help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const place = await findPlace({ data, ...(stage !== undefined && { stage }) });
  const left = await redrive(place, {
    list,
    ...(queue !== undefined && { queue }),
    write: (line) => process.stdout.write(`${line}\n`),
  });
  return left > 0 && !list ? 1 : 0;
}

function readOptions(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        help: { type: "boolean", default: false },
        list: { type: "boolean", default: false },
        data: { type: "string", default: ".memocha" },
        queue: { type: "string" },
        stage: { type: "string" },
      },
    }).values;
  } catch (error) {
    return asUsageError(error);
  }
}
