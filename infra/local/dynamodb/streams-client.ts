import { sha256, authorization as sign } from "../iam/signature-v4.ts";
import type { Credentials } from "../lambda/environment.ts";

/** Calls an operation of DynamoDB Streams, or `DescribeTable`, and gives the engine's answer as it is. */
export type StreamsClient = (operation: string, request: Record<string, unknown>) => Promise<Response>;

/** What the embedded engine takes as well as any other. */
const ANY_CREDENTIALS: Credentials = { accessKeyId: "local", secretAccessKey: "local" };

/**
 * A client of an engine's streams that leaves answers as raw JSON. Streams are named by ARNs of this host's region. Engines write regions of
 * their own (`ddblocal`) into ARNs, and some of them find a stream by its own ARN only: it is sent in the place of the host's.
 */
export function createStreamsClient(endpoint: string, credentials: Credentials = ANY_CREDENTIALS): StreamsClient {
  const ownArns = new Map<string, string>();

  async function ownArn(streamArn: string): Promise<string> {
    const known = ownArns.get(streamArn);
    if (known !== undefined) return known;
    const response = await post(endpoint, credentials, "DescribeTable", { TableName: tableOf(streamArn) });
    const { Table } = (await response.json()) as { Table?: { LatestStreamArn?: string } };
    const latest = Table?.LatestStreamArn;
    // An earlier stream of the table is not described: the engine has to say what it thinks of it.
    if (latest === undefined || labelOf(latest) !== labelOf(streamArn)) return streamArn;
    ownArns.set(streamArn, latest);
    return latest;
  }

  return async (operation, request) => {
    const { StreamArn } = request;
    const own = typeof StreamArn === "string" ? { StreamArn: await ownArn(StreamArn) } : {};
    return await post(endpoint, credentials, operation, { ...request, ...own });
  };
}

export const tableOf = (streamArn: string): string => /:table\/([^/]+)\/stream\//.exec(streamArn)?.[1] ?? "";

const labelOf = (streamArn: string): string => streamArn.split("/stream/")[1] ?? "";

async function post(endpoint: string, credentials: Credentials, operation: string, request: object): Promise<Response> {
  const service = operation === "DescribeTable" ? "DynamoDB_20120810" : "DynamoDBStreams_20120810";
  const url = new URL(endpoint);
  const body = JSON.stringify(request);
  const headers = {
    host: url.host,
    "x-amz-date": new Date().toISOString().replace(/[-:]|\.\d+/g, ""),
    "x-amz-target": `${service}.${operation}`,
  };
  const path = url.pathname;
  const authorization = sign({ method: "POST", path, headers, payload: sha256(body) }, "dynamodb", credentials);
  return await fetch(url, {
    method: "POST",
    headers: { ...headers, authorization, "content-type": "application/x-amz-json-1.0" },
    body,
  });
}
