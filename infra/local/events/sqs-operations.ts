import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { md5, type QueueMessage, type QueueStore } from "./queue-store.ts";

/** Milliseconds between two checks for a message while a receiver waits. */
const WAIT_POLL = 50;

/** An error of the caller. `name` is the code of SQS, `queryCode` the code for older clients. */
export class SqsError extends Error {
  readonly queryCode: string | undefined;

  constructor(name: string, message: string, queryCode?: string) {
    super(message);
    this.name = name;
    this.queryCode = queryCode;
  }
}

const onQueue = z.object({ QueueUrl: z.string() });
const onMessage = onQueue.extend({ ReceiptHandle: z.string() });
const seconds = (most: number) => z.number().int().min(0).max(most);
const send = onQueue.extend({
  MessageBody: z.string().min(1),
  DelaySeconds: seconds(900).default(0),
  MessageAttributes: z.record(z.string(), z.unknown()).default({}),
});
const receive = onQueue.extend({
  MaxNumberOfMessages: z.number().int().min(1).max(10).default(1),
  VisibilityTimeout: seconds(43_200).default(30),
  WaitTimeSeconds: seconds(20).default(0),
  AttributeNames: z.array(z.string()).default([]),
  MessageSystemAttributeNames: z.array(z.string()).default([]),
  MessageAttributeNames: z.array(z.string()).default([]),
});

/** The operations of SQS by name. They throw SqsErrors, and ZodErrors for malformed requests. */
export function createSqsOperations(options: {
  store: QueueStore;
  queueUrl: (name: string) => string;
  /** Makes receivers stop waiting. */
  signal: AbortSignal;
}): Record<string, (request: unknown) => Promise<object>> {
  const { store, queueUrl, signal } = options;

  /** The queue of a URL, whatever the port in the URL. */
  const queueOf = ({ QueueUrl }: { QueueUrl: string }) => existing(QueueUrl.split("/").at(-1) ?? "");
  const existing = (name: string) => {
    if (store.exists(name)) return name;
    throw new SqsError("QueueDoesNotExist", `There is no queue "${name}".`, "AWS.SimpleQueueService.NonExistentQueue");
  };

  return {
    async GetQueueUrl(request) {
      return { QueueUrl: queueUrl(existing(z.object({ QueueName: z.string() }).parse(request).QueueName)) };
    },
    async SendMessage(request) {
      const parsed = send.parse(request);
      const { MessageBody, MessageAttributes, DelaySeconds } = parsed;
      const MessageId = store.send(queueOf(parsed), MessageBody, MessageAttributes, DelaySeconds);
      return { MessageId, MD5OfMessageBody: md5(MessageBody) };
    },
    async ReceiveMessage(request) {
      const parsed = receive.parse(request);
      const queue = queueOf(parsed);
      const deadline = performance.now() + parsed.WaitTimeSeconds * 1000;
      for (;;) {
        const messages = store.receive(queue, parsed.MaxNumberOfMessages, parsed.VisibilityTimeout);
        if (messages.length > 0) return { Messages: messages.map((message) => received(message, parsed)) };
        if (signal.aborted || performance.now() >= deadline) return {};
        await sleep(WAIT_POLL, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return {};
      }
    },
    async DeleteMessage(request) {
      const parsed = onMessage.parse(request);
      store.remove(queueOf(parsed), parsed.ReceiptHandle);
      return {};
    },
    async ChangeMessageVisibility(request) {
      const parsed = onMessage.extend({ VisibilityTimeout: seconds(43_200) }).parse(request);
      if (!store.defer(queueOf(parsed), parsed.ReceiptHandle, parsed.VisibilityTimeout)) {
        throw new SqsError("ReceiptHandleIsInvalid", "The receipt handle does not belong to a message in this queue.");
      }
      return {};
    },
    async GetQueueAttributes(request) {
      const parsed = onQueue.extend({ AttributeNames: z.array(z.string()).default([]) }).parse(request);
      const { visible, inFlight, delayed } = store.count(queueOf(parsed));
      const all = {
        ApproximateNumberOfMessages: String(visible),
        ApproximateNumberOfMessagesNotVisible: String(inFlight),
        ApproximateNumberOfMessagesDelayed: String(delayed),
      };
      return { Attributes: chosen(all, parsed.AttributeNames) };
    },
  };
}

function received(message: QueueMessage, wanted: z.infer<typeof receive>): object {
  const system = {
    SentTimestamp: String(message.sentAt),
    ApproximateReceiveCount: String(message.receiveCount),
  };
  const Attributes = chosen(system, [...wanted.AttributeNames, ...wanted.MessageSystemAttributeNames]);
  const MessageAttributes = chosen(message.attributes, wanted.MessageAttributeNames);
  return {
    MessageId: message.id,
    ReceiptHandle: message.receiptHandle,
    Body: message.body,
    MD5OfBody: md5(message.body),
    ...(Object.keys(Attributes).length > 0 && { Attributes }),
    ...(Object.keys(MessageAttributes).length > 0 && { MessageAttributes }),
  };
}

function chosen(all: Record<string, unknown>, names: string[]): Record<string, unknown> {
  if (names.includes("All")) return all;
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
}
