import { findDeployment } from "../find-deployment.ts";
import { runCommand } from "../run-command.ts";
import { redriveQueue } from "./redrive-queue.ts";

const usage = `Delivers dead letters again: the events on which a job failed until it had no retries left.

  npm run redrive [-- --list] [--stage STAGE] [--queue NAME]

  --list         only show the messages in the queue
  --stage STAGE  the deployment on AWS (dev, prod), with the region and credentials of the AWS CLI
                 (default: the running local host)
  --queue NAME   another queue than the deployment's dead-letter queue

For a batch of stream records, the command reads the records from the stream again and invokes the function that failed.
The stream keeps records for a day. If they are gone, the command runs the reconciler instead. For other events, it
invokes the function with the same event. It deletes a message after success, and leaves it in the queue after a failure.
Jobs may process a record twice without harm, so you can run this command at any time and as often as you like.
`;

const options = {
  list: { type: "boolean", default: false },
  queue: { type: "string" },
  stage: { type: "string" },
} as const;

const exitCodes = "0 = the queue is empty, or was listed, 1 = messages are left, or an error, 2 = wrong usage";

await runCommand({ name: "redrive", usage, exitCodes, options }, async ({ list, queue, stage, data }) => {
  const write = (line: string) => process.stdout.write(`${line}\n`);
  const left = await redriveQueue(await findDeployment({ stage, data }), { list, queue, write });
  return left > 0 && !list ? 1 : 0;
});
