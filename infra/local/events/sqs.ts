import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { ACCOUNT } from "../assembly/physical.ts";
import type { Access } from "../iam/access.ts";
import { sqsPermission } from "../iam/permissions.ts";
import { ServiceError, startJsonService } from "../start-service.ts";
import { md5, openQueueStore, type QueueMessage } from "./queue-store.ts";

/** Milliseconds between two checks for a message while a receiver waits. */
const WAIT_POLL = 50;

const seconds = (most: number) => z.number().int().min(0).max(most);
const names = z.array(z.string()).default([]);
const onQueue = z.object({ QueueUrl: z.string() });
const onMessage = onQueue.extend({ ReceiptHandle: z.string() });
const sending = onQueue.extend({
  MessageBody: z.string().min(1),
  MessageAttributes: z.record(z.string(), z.unknown()).default({}),
});
const receiving = onQueue.extend({
  MaxNumberOfMessages: z.number().int().min(1).max(10).default(1),
  VisibilityTimeout: seconds(43_200).default(30),
  WaitTimeSeconds: seconds(20).default(0),
  MessageSystemAttributeNames: names,
  MessageAttributeNames: names,
});

/** Starts an SQS for dead letters on 127.0.0.1: standard queues, messages stored in `directory`. */
export async function startSqs(options: {
  /** null = in memory. */
  directory: string | null;
  /** Permissions of functions. @default all */
  access?: Access;
  log: (line: string) => void;
}) {
  const { directory, access, log } = options;
  const store = openQueueStore(directory);
  const closing = new AbortController();
  const { signal } = closing;

  const existing = (name: string) => {
    if (store.exists(name)) return name;
    throw new ServiceError("QueueDoesNotExist", `There is no queue "${name}".`);
  };
  /** Finds the queue of a URL. Ignores the port, which may have changed since the client read the URL. */
  const queueOf = ({ QueueUrl }: { QueueUrl: string }) => existing(QueueUrl.split("/").at(-1) ?? "");
  const urlOf = (name: string) => `${url}/${ACCOUNT}/${name}`;

  const { url, close } = await startJsonService({
    name: "SQS",
    operations: {
      GetQueueUrl: (input) => ({
        QueueUrl: urlOf(existing(z.object({ QueueName: z.string() }).parse(input).QueueName)),
      }),
      SendMessage(input) {
        const message = sending.parse(input);
        const { MessageBody, MessageAttributes } = message;
        const MessageId = store.send(queueOf(message), MessageBody, MessageAttributes);
        return { MessageId, MD5OfMessageBody: md5(MessageBody) };
      },
      async ReceiveMessage(input) {
        const wanted = receiving.parse(input);
        const queue = queueOf(wanted);
        const deadline = performance.now() + wanted.WaitTimeSeconds * 1000;
        while (!signal.aborted) {
          const messages = store.receive(queue, wanted.MaxNumberOfMessages, wanted.VisibilityTimeout);
          if (messages.length > 0) return { Messages: messages.map((message) => describe(message, wanted)) };
          if (performance.now() >= deadline) break;
          await sleep(WAIT_POLL, undefined, { signal }).catch(() => undefined);
        }
        return {};
      },
      DeleteMessage(input) {
        const message = onMessage.parse(input);
        store.remove(queueOf(message), message.ReceiptHandle);
        return {};
      },
      ChangeMessageVisibility(input) {
        const message = onMessage.extend({ VisibilityTimeout: seconds(43_200) }).parse(input);
        if (store.defer(queueOf(message), message.ReceiptHandle, message.VisibilityTimeout)) return {};
        throw new ServiceError(
          "ReceiptHandleIsInvalid",
          "The receipt handle does not belong to a message in this queue.",
        );
      },
      GetQueueAttributes(input) {
        const wanted = onQueue.extend({ AttributeNames: names }).parse(input);
        const { visible, hidden } = store.count(queueOf(wanted));
        const all = {
          ApproximateNumberOfMessages: String(visible),
          ApproximateNumberOfMessagesNotVisible: String(hidden),
        };
        return { Attributes: pick(all, wanted.AttributeNames) };
      },
    },
    refuse: (caller, operation, input) => access?.check(caller, [sqsPermission(operation, input)]),
    log,
  });

  return {
    url,
    /** Creates the queue if it does not exist, and returns its URL. */
    ensureQueue(name: string): string {
      store.create(name);
      return urlOf(name);
    },
    async send(queueName: string, body: string): Promise<void> {
      store.create(queueName);
      store.send(queueName, body, {});
    },
    async close(): Promise<void> {
      closing.abort();
      await close();
      store.close();
    },
  };
}

function describe(message: QueueMessage, wanted: z.infer<typeof receiving>): object {
  const system = { SentTimestamp: String(message.sentAt), ApproximateReceiveCount: String(message.receiveCount) };
  return {
    MessageId: message.id,
    ReceiptHandle: message.receiptHandle,
    Body: message.body,
    MD5OfBody: md5(message.body),
    Attributes: pick(system, wanted.MessageSystemAttributeNames),
    MessageAttributes: pick(message.attributes, wanted.MessageAttributeNames),
  };
}

/** The named entries; undefined when there are none. */
function pick(all: Record<string, unknown>, names: string[]): Record<string, unknown> | undefined {
  const found = Object.entries(all).filter(([name]) => names.includes(name) || names.includes("All"));
  return found.length > 0 ? Object.fromEntries(found) : undefined;
}
