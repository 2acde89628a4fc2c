import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import type { Credentials } from "../lambda/environment.ts";
import { type Listening, listen } from "../listen.ts";
import { withoutFillers } from "./filler.ts";
import { changesNothing, type RawRecord } from "./stream-record.ts";
import { createStreamsClient, type StreamsClient } from "./streams-client.ts";

const operations = ["ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"];

/**
 * Starts a read-only DynamoDB Streams endpoint for SDK clients in front of the engine. It writes `userIdentity` in AWS's casing and
 * omits records of writes that changed nothing. It accepts any credentials.
 */
export async function startStreamsProxy({
  endpoint,
  credentials,
  port = 0,
}: {
  endpoint: string;
  /** The engine's credentials. @default the engine accepts any */
  credentials?: Credentials | undefined;
  port?: number;
}): Promise<Listening> {
  const client = createStreamsClient(endpoint, credentials);
  const server = createServer((request, response) => {
    answer(client, request, response).catch((error) => fail(response, 500, "InternalServerError", String(error)));
  });
  return await listen(server, port);
}

async function answer(client: StreamsClient, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const operation = String(request.headers["x-amz-target"]).split("DynamoDBStreams_20120810.")[1] ?? "";
  const body = await text(request);
  if (!operations.includes(operation)) {
    fail(response, 400, "UnknownOperationException", "This endpoint supports reads of DynamoDB streams only.");
    return;
  }
  const answered = await client(operation, parse(body));
  const type = answered.headers.get("content-type") ?? "application/x-amz-json-1.0";
  const content = await answered.text();
  response.writeHead(answered.status, { "content-type": type });
  response.end(operation === "GetRecords" && answered.ok ? withAwsCasing(content) : content);
}

function parse(body: string): Record<string, unknown> {
  try {
    return JSON.parse(body) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function withAwsCasing(content: string): string {
  const page: { Records?: RawRecord[] } = JSON.parse(content);
  const Records = page.Records?.map(withoutFillers)
    .filter((record) => !changesNothing(record))
    .map(({ userIdentity, ...record }) => ({
      ...record,
      ...(userIdentity && {
        userIdentity: {
          PrincipalId: userIdentity.principalId ?? userIdentity.PrincipalId,
          Type: userIdentity.type ?? userIdentity.Type,
        },
      }),
    }));
  return JSON.stringify({ ...page, Records });
}

function fail(response: ServerResponse, status: number, code: string, message: string): void {
  if (!response.headersSent) response.writeHead(status, { "content-type": "application/x-amz-json-1.0" });
  response.end(JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${code}`, message }));
}
