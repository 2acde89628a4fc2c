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

/** Seconds for which a search hides a message from others. It shows the message again at its end. */
const HIDDEN = 60;

/**
 * Erases the messages of the dead-letter queue that name a user. They hold positions in streams, events of schedules, and texts of errors. None
 * of these names a user on purpose: the search shows it. All other messages stay. A message that a redrive holds meanwhile is not searched.
 */
export function createDeadLetterEraser(
  QueueUrl: string,
  sqs: Pick<SQSClient, "send"> = new SQSClient(),
): (user: string) => Eraser {
  /** Visits one after another: a message that one visit hides is invisible to another one. */
  let last: Promise<unknown> = Promise.resolve();

  async function isEmpty(): Promise<boolean> {
    const AttributeNames = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] as const;
    const { Attributes = {} } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...AttributeNames] }),
    );
    return AttributeNames.every((name) => Number(Attributes[name] ?? 0) === 0);
  }

  /** Reads the whole queue. Then it shows each message again, but deletes those that `isTaken` selects. */
  async function visit(isTaken: (message: Message) => boolean): Promise<Message[]> {
    if (await isEmpty()) return [];
    const messages: Message[] = [];
    try {
      for (;;) {
        // Without waiting, SQS asks only some of its servers.
        const look = { QueueUrl, VisibilityTimeout: HIDDEN, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 };
        const { Messages = [] } = await sqs.send(new ReceiveMessageCommand(look));
        if (Messages.length === 0) return messages;
        messages.push(...Messages);
      }
    } finally {
      for (const message of messages) {
        const { ReceiptHandle } = message;
        if (isTaken(message)) await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
        else await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
      }
    }
  }

  function inTurn(isTaken: (message: Message) => boolean): Promise<Message[]> {
    const visiting = last.catch(() => undefined).then(() => visit(isTaken));
    last = visiting;
    return visiting;
  }

  return (user) => {
    const namesUser = namesIn(user);
    return {
      search: async () => ({ "dead letters": (await inTurn(() => false)).filter(namesUser).length }),
      async erase() {
        await inTurn(namesUser);
        return true;
      },
    };
  };
}

/** Finds the user in keys of items and objects, and the user's hash in logs. A single word may be anything else. */
function namesIn(user: string): (message: Message) => boolean {
  const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const part = escaped(userPart(user));
  const key = escaped(userKey(user));
  const pattern = new RegExp(`(?:dt=[-0-9]{10}|files|exports)/${part}/|${key}(?:["#\\\\]|$)|\\b${hashId(user)}\\b`);
  return ({ Body = "" }) => pattern.test(Body);
}
