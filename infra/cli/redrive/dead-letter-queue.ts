import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";

/** Seconds that a message stays hidden from other consumers: more than the longest timeout of a function. */
const VISIBILITY = 960;

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

export async function deleteMessage(sqs: SQSClient, QueueUrl: string, { ReceiptHandle }: Message): Promise<void> {
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
}

/** Makes messages visible to other consumers again. */
export async function release(sqs: SQSClient, QueueUrl: string, messages: Message[]): Promise<void> {
  for (const { ReceiptHandle } of messages) {
    await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
  }
}
