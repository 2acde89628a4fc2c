import { GetQueueAttributesCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

/** Messages that SQS gives at once. */
const BATCH = 10;

/** The messages in the dead-letter queue. */
export interface DeadLetters {
  /** About so many. */
  count: number;
  /** Epoch milliseconds at which the oldest of ten messages was sent; `null` = the queue is empty. */
  oldest: number | null;
}

/** A reader of the dead-letter queue. It leaves every message visible to others. */
export function createDeadLetters(QueueUrl: string, sqs: Pick<SQSClient, "send"> = new SQSClient()) {
  const look = new ReceiveMessageCommand({
    QueueUrl,
    VisibilityTimeout: 0,
    MaxNumberOfMessages: BATCH,
    MessageSystemAttributeNames: ["SentTimestamp"],
  });
  const count = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["ApproximateNumberOfMessages"] });
  return async (): Promise<DeadLetters> => {
    const [{ Attributes = {} }, { Messages = [] }] = await Promise.all([sqs.send(count), sqs.send(look)]);
    const sent = Messages.map((message) => Number(message.Attributes?.SentTimestamp));
    return {
      count: Math.max(Number(Attributes.ApproximateNumberOfMessages), sent.length),
      oldest: sent.length > 0 ? Math.min(...sent) : null,
    };
  };
}
