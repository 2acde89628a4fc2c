import { GetQueueUrlCommand, type Message, QueueDoesNotExist } from "@aws-sdk/client-sqs";
import { counted } from "../../../shared/counted.ts";
import { type Place, PlaceError } from "../find-deployment.ts";
import { type DeadLetter, functionLabel, readDeadLetter } from "./dead-letter.ts";
import { deleteMessage, receiveAll, release } from "./dead-letter-queue.ts";
import { deliverAgain, invoke } from "./deliver-again.ts";

export interface RedriveOptions {
  /** Another queue than the deployment's dead-letter queue. */
  queue?: string;
  /** Only shows what is there. */
  list: boolean;
  write: (line: string) => void;
}

/** Delivers every dead letter again, or lists them. Resolves with how many are still in the queue. */
export async function redrive(place: Place, { queue, list, write }: RedriveOptions): Promise<number> {
  const url = queue === undefined ? place.deadLetterQueueUrl : await queueUrl(place, queue);
  const left: Message[] = [];
  let number = 0;
  let reconciled: Promise<void> | undefined;
  /** Once in a run: it looks at everything that is due. */
  const reconcile = () => {
    reconciled ??= invoke(place.lambda, place.reconcileFunctionName, {}).then(() => undefined);
    return reconciled;
  };

  write(`Dead letters of ${place.description}, queue ${url.split("/").at(-1)}`);
  try {
    for await (const message of receiveAll(place.sqs, url, place.waitSeconds)) {
      const letter = readDeadLetter(message);
      write(`${++number}. ${describe(message, letter)}`);
      left.push(message);
      if (list) continue;
      if (!letter) {
        write("   It is none of Memocha's: left in the queue.");
        continue;
      }
      try {
        const done = await deliverAgain(letter, place, reconcile);
        await deleteMessage(place.sqs, url, message);
        left.pop();
        write(`   Done: ${done}.`);
      } catch (error) {
        write(`   Failed: ${error instanceof Error ? error.message : error}. Left in the queue.`);
      }
    }
  } finally {
    await release(place.sqs, url, left);
  }
  write(summary(number, left.length, list));
  return left.length;
}

function summary(all: number, left: number, list: boolean): string {
  if (all === 0) return "There are none.";
  if (list) return `${all} in all. Without --list they are delivered again.`;
  return left === 0 ? `All ${all} done.` : `${all - left} done, ${left} left in the queue.`;
}

function describe(message: Message, letter: DeadLetter | undefined): string {
  if (!letter) return `A message of another kind: ${(message.Body ?? "").slice(0, 200)}`;
  const what = letter.kind === "stream" ? describeRange(letter.range) : "an event";
  const when = letter.at === undefined ? "" : `, ${letter.at.toISOString()}`;
  return `${functionLabel(letter.functionArn)}: ${what}${when} (${letter.reason})`;
}

function describeRange({
  batchSize,
  startSequenceNumber,
  endSequenceNumber,
}: Extract<DeadLetter, { kind: "stream" }>["range"]) {
  const numbers =
    startSequenceNumber === endSequenceNumber ? startSequenceNumber : `${startSequenceNumber} to ${endSequenceNumber}`;
  return `${counted(batchSize, "stream record")}, ${numbers}`;
}

async function queueUrl({ sqs, description }: Place, QueueName: string): Promise<string> {
  try {
    return (await sqs.send(new GetQueueUrlCommand({ QueueName }))).QueueUrl ?? "";
  } catch (error) {
    if (!(error instanceof QueueDoesNotExist)) throw error;
    throw new PlaceError(`There is no queue ${QueueName} on ${description}.`, { cause: error });
  }
}
