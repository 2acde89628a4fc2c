import { sha256, authorization as sign } from "../iam/signature-v4.ts";
import type { Credentials } from "../lambda/environment.ts";
import { ServiceError } from "../start-service.ts";

/** Calls an operation of DynamoDB Streams, or `DescribeTable`. Throws a ServiceError with the engine's code. */
type StreamsClient = <T>(operation: string, request: Record<string, unknown>) => Promise<T>;

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
    const request = { TableName: tableOf(streamArn) };
    const { Table } = await post<{ Table?: { LatestStreamArn?: string } }>("DescribeTable", request);
    const latest = Table?.LatestStreamArn;
    // The ARN is that of an earlier stream of the table. Send it unchanged, so that the engine answers with its error.
    if (latest === undefined || labelOf(latest) !== labelOf(streamArn)) return streamArn;
    ownArns.set(streamArn, latest);
    return latest;
  }

  async function post<T>(operation: string, request: object): Promise<T> {
    const service = operation === "DescribeTable" ? "DynamoDB_20120810" : "DynamoDBStreams_20120810";
    const url = new URL(endpoint);
    const body = JSON.stringify(request);
    const headers = {
      host: url.host,
      "x-amz-date": new Date().toISOString().replace(/[-:]|\.\d+/g, ""),
      "x-amz-target": `${service}.${operation}`,
    };
    const signable = { method: "POST", path: url.pathname, headers, payload: sha256(body) };
    const authorization = sign(signable, "dynamodb", credentials);
    const type = { "content-type": "application/x-amz-json-1.0" };
    const response = await fetch(url, { method: "POST", headers: { ...headers, ...type, authorization }, body });
    if (response.ok) return (await response.json()) as T;
    const text = await response.text();
    const code = /"__type"\s*:\s*"(?:[^"]*#)?([^"]+)"/.exec(text)?.[1] ?? String(response.status);
    throw new ServiceError(code, `${operation}: ${text}`, response.status);
  }

  return async (operation, request) => {
    const { StreamArn } = request;
    const own = typeof StreamArn === "string" ? { StreamArn: await ownArn(StreamArn) } : {};
    return await post(operation, { ...request, ...own });
  };
}

export const tableOf = (streamArn: string): string => /:table\/([^/]+)\/stream\//.exec(streamArn)?.[1] ?? "";

const labelOf = (streamArn: string): string => streamArn.split("/stream/")[1] ?? "";
