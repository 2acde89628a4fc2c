import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { ACCOUNT } from "../assembly/physical.ts";
import type { Access } from "../iam/access.ts";
import { sqsPermissions } from "../iam/permissions/other-services.ts";
import { accessKeyOf } from "../iam/signature-v4.ts";
import { listen } from "../listen.ts";
import { openQueueStore } from "./queue-store.ts";
import { createSqsOperations, SqsError } from "./sqs-operations.ts";

export interface Sqs {
  url: string;
  /** Creates the queue if it does not exist, and returns its URL. */
  ensureQueue(name: string): string;
  send(queueName: string, body: string): Promise<void>;
  close(): Promise<void>;
}

/** Starts an SQS for dead letters on 127.0.0.1: the JSON protocol, standard queues, messages stored in `directory`. */
export async function startSqs(options: {
  /** null = in memory. */
  directory: string | null;
  port?: number;
  /** Permissions of functions. @default all */
  access?: Access;
  log: (line: string) => void;
}): Promise<Sqs> {
  const { directory, port = 0, access, log } = options;
  const store = openQueueStore(directory);
  const closing = new AbortController();
  const server = createServer((request, response) => {
    answer(request).then(
      (body) => respond(response, 200, body),
      (error) => {
        if (error instanceof SqsError || error instanceof z.ZodError) return refuse(response, error);
        log(`SQS: ${error instanceof Error ? error.stack : error}`);
        respond(response, 500, { __type: "com.amazonaws.sqs#InternalFailure", message: "Internal failure." });
      },
    );
  });
  const { url, close } = await listen(server, port);
  const queueUrl = (name: string) => `${url}/${ACCOUNT}/${name}`;
  const operations = createSqsOperations({ store, queueUrl, signal: closing.signal });

  async function answer(request: IncomingMessage): Promise<object> {
    const name = String(request.headers["x-amz-target"]).split("AmazonSQS.")[1] ?? "";
    const operation = operations[name];
    if (!operation) throw new SqsError("InvalidAction", `The local SQS does not support the operation "${name}".`);
    const input: unknown = JSON.parse((await text(request)) || "{}");
    const refusal = access?.check(accessKeyOf(request), sqsPermissions(name, input as object));
    if (refusal) throw new SqsError("AccessDeniedException", refusal.message, "AccessDenied");
    return operation(input);
  }

  return {
    url,
    ensureQueue(name) {
      store.create(name);
      return queueUrl(name);
    },
    async send(queueName, body) {
      store.create(queueName);
      store.send(queueName, body, {}, 0);
    },
    async close() {
      closing.abort();
      await close();
      store.close();
    },
  };
}

function refuse(response: ServerResponse, error: SqsError | z.ZodError): void {
  if (error instanceof z.ZodError) {
    respond(response, 400, { __type: "com.amazonaws.sqs#InvalidParameterValue", message: z.prettifyError(error) });
    return;
  }
  if (error.queryCode !== undefined) response.setHeader("x-amzn-query-error", `${error.queryCode};Sender`);
  const status = error.name === "AccessDeniedException" ? 403 : 400;
  respond(response, status, { __type: `com.amazonaws.sqs#${error.name}`, message: error.message });
}

function respond(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/x-amz-json-1.0", "x-amzn-requestid": randomUUID() });
  response.end(JSON.stringify(body));
}
