import { GetQueueAttributesCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

/** Maximum number of messages per call of SQS. */
const BATCH = 10;

/** The messages in the dead-letter queue. */
export interface DeadLetters {
  /** Approximate number of messages. */
  count: number;
  /** Epoch milliseconds at which the oldest of ten messages was sent; `null` = the queue is empty. */
  oldest: number | null;
}

/** Creates a reader of the dead-letter queue. It leaves every message visible to other readers. */
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
