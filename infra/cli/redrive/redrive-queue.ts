import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueUrlCommand,
  type Message,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { counted } from "../../../shared/counted.ts";
import { type Deployment, invokeFunction } from "../find-deployment.ts";
import { messageOf } from "../run-command.ts";
import { type DeadLetter, functionLabel, readDeadLetter, type StreamRange } from "./dead-letter.ts";
import { deliverAgain } from "./deliver-again.ts";

/** Seconds that a message stays hidden from other consumers: more than the longest timeout of a function. */
const VISIBILITY = 960;

interface RedriveOptions {
  /** The name of another queue than the deployment's dead-letter queue. */
  queue?: string | undefined;
  /** Only list the messages. */
  list: boolean;
  write: (line: string) => void;
}

/** Delivers every dead letter again, or lists them. Returns the number of messages that are still in the queue. */
export async function redriveQueue(deployment: Deployment, { queue, list, write }: RedriveOptions): Promise<number> {
  const { sqs, lambda, outputs, description, waitSeconds } = deployment;
  const url = queue === undefined ? outputs.DeadLetterQueueUrl : await findQueue(deployment, queue);
  const left: Message[] = [];
  let count = 0;
  let reconciled: Promise<unknown> | undefined;
  /** Runs once, because the reconciler looks at every session that is due. */
  const reconcile = async () => {
    reconciled ??= invokeFunction(lambda, outputs.ReconcileFunctionName, {});
    await reconciled;
  };

  write(`Dead letters of ${description}, queue ${url.split("/").at(-1)}`);
  try {
    for await (const message of receiveAll(sqs, url, waitSeconds)) {
      const letter = readDeadLetter(message);
      write(`${++count}. ${describe(message, letter)}`);
      left.push(message);
      if (list) continue;
      if (!letter) {
        write("   Not a message of Memocha. Left in the queue.");
        continue;
      }
      try {
        const result = await deliverAgain(letter, deployment, reconcile);
        await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: message.ReceiptHandle }));
        left.pop();
        write(`   Done: ${result}.`);
      } catch (error) {
        write(`   Failed: ${messageOf(error)}. Left in the queue.`);
      }
    }
  } finally {
    await release(sqs, url, left);
  }
  write(summarize(count, left.length, list));
  return left.length;
}

function summarize(count: number, left: number, list: boolean): string {
  if (count === 0) return "The queue is empty.";
  if (list) return `${counted(count, "message")}. Run the command without --list to deliver them again.`;
  return left === 0 ? `All ${count} done.` : `${count - left} done, ${left} left in the queue.`;
}

function describe(message: Message, letter: DeadLetter | undefined): string {
  if (!letter) return `An unknown message: ${(message.Body ?? "").slice(0, 200)}`;
  const what = letter.kind === "stream" ? describeRange(letter.range) : "an event";
  const when = letter.at === undefined ? "" : `, ${letter.at.toISOString()}`;
  return `${functionLabel(letter.functionArn)}: ${what}${when} (${letter.reason})`;
}

function describeRange({ batchSize, startSequenceNumber: start, endSequenceNumber: end }: StreamRange): string {
  return `${counted(batchSize, "stream record")}, ${start === end ? start : `${start} to ${end}`}`;
}

async function findQueue({ sqs, description }: Deployment, QueueName: string): Promise<string> {
  try {
    return (await sqs.send(new GetQueueUrlCommand({ QueueName }))).QueueUrl ?? "";
  } catch (error) {
    if (!(error instanceof QueueDoesNotExist)) throw error;
    throw new Error(`There is no queue ${QueueName} on ${description}.`, { cause: error });
  }
}

/** Receives every message of the queue once. Messages stay hidden from other consumers until they are deleted or released. */
export async function* receiveAll(sqs: SQSClient, QueueUrl: string, WaitTimeSeconds: number): AsyncGenerator<Message> {
  const seen = new Set<string | undefined>();
  for (;;) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        VisibilityTimeout: VISIBILITY,
        WaitTimeSeconds,
        MessageAttributeNames: ["All"],
        MessageSystemAttributeNames: ["SentTimestamp"],
      }),
    );
    const unseen = Messages.filter(({ MessageId }) => !seen.has(MessageId));
    if (unseen.length === 0) return;
    for (const message of unseen) seen.add(message.MessageId);
    yield* unseen;
  }
}

/** Makes messages visible to other consumers again. */
async function release(sqs: SQSClient, QueueUrl: string, messages: Message[]): Promise<void> {
  for (const { ReceiptHandle } of messages) {
    await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
  }
}
