import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { userPart } from "../archive/user-part.ts";
import { userKey } from "../dynamodb/keys.ts";
import { hashId } from "../hash.ts";
import type { Eraser } from "./erasure.ts";

/** Seconds for which a visit hides a message from other readers. The visit shows the message again when it ends. */
const HIDDEN = 60;

/**
 * Erases the messages of the dead-letter queue that name a user. Messages hold positions in streams, events of schedules, and texts of
 * errors. None of these should name a user; the search proves it. A message that a redrive holds at the same time is not searched.
 */
export function createDeadLetterEraser(
  QueueUrl: string,
  sqs: Pick<SQSClient, "send"> = new SQSClient(),
): (user: string) => Eraser {
  /** The last visit. Visits run one after the other, because a message that one visit hides is invisible to the others. */
  let last: Promise<unknown> = Promise.resolve();

  async function isEmpty(): Promise<boolean> {
    const AttributeNames = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] as const;
    const { Attributes = {} } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...AttributeNames] }),
    );
    return AttributeNames.every((name) => Number(Attributes[name] ?? 0) === 0);
  }

  /** Reads the whole queue. Then deletes the messages that `isToDelete` selects, and shows the others again. */
  async function visit(isToDelete: (message: Message) => boolean): Promise<Message[]> {
    if (await isEmpty()) return [];
    const messages: Message[] = [];
    try {
      for (;;) {
        // Wait a second, because without a wait SQS asks only some of its servers.
        const look = { QueueUrl, VisibilityTimeout: HIDDEN, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 };
        const { Messages = [] } = await sqs.send(new ReceiveMessageCommand(look));
        if (Messages.length === 0) return messages;
        messages.push(...Messages);
      }
    } finally {
      for (const message of messages) {
        const { ReceiptHandle } = message;
        if (isToDelete(message)) await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
        else await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
      }
    }
  }

  function queueVisit(isToDelete: (message: Message) => boolean): Promise<Message[]> {
    const visiting = last.catch(() => undefined).then(() => visit(isToDelete));
    last = visiting;
    return visiting;
  }

  return (user) => {
    const namesUser = namesIn(user);
    return {
      search: async () => ({ "dead letters": (await queueVisit(() => false)).filter(namesUser).length }),
      async erase() {
        await queueVisit(namesUser);
        return true;
      },
    };
  };
}

/**
 * Creates a function that finds the user's id in keys of items and objects, and the user's hash. It does not search for the id alone,
 * because an id can be a common word.
 */
function namesIn(user: string): (message: Message) => boolean {
  const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const part = escaped(userPart(user));
  const key = escaped(userKey(user));
  const pattern = new RegExp(`(?:dt=[-0-9]{10}|files|exports)/${part}/|${key}(?:["#\\\\]|$)|\\b${hashId(user)}\\b`);
  return ({ Body = "" }) => pattern.test(Body);
}
