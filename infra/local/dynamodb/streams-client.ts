import { sha256, authorization as sign } from "../iam/signature-v4.ts";
import type { Credentials } from "../lambda/environment.ts";

/** Calls an operation of DynamoDB Streams, or `DescribeTable`, and resolves with the engine's response. */
export type StreamsClient = (operation: string, request: Record<string, unknown>) => Promise<Response>;

/** The embedded engine accepts any credentials. */
const ANY_CREDENTIALS: Credentials = { accessKeyId: "local", secretAccessKey: "local" };

/**
 * Creates a client of an engine's streams that returns raw JSON. Callers use stream ARNs of the host's region. Engines use regions of
 * their own (`ddblocal`) in ARNs, and some find a stream by that ARN only, so the client sends the engine's ARN.
 */
export function createStreamsClient(endpoint: string, credentials: Credentials = ANY_CREDENTIALS): StreamsClient {
  const ownArns = new Map<string, string>();

  async function ownArn(streamArn: string): Promise<string> {
    const known = ownArns.get(streamArn);
    if (known !== undefined) return known;
    const response = await post(endpoint, credentials, "DescribeTable", { TableName: tableOf(streamArn) });
    const { Table } = (await response.json()) as { Table?: { LatestStreamArn?: string } };
    const latest = Table?.LatestStreamArn;
    // This is an earlier stream of the table. Send its ARN as it is: the engine answers with the error.
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
