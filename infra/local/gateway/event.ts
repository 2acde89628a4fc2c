import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { ACCOUNT, PARTITION, REGION } from "../assembly/physical.ts";
import type { Method, RestApi } from "./rest-api.ts";

/** The event of a REST API's proxy integration (`APIGatewayProxyEvent`). */
export interface ProxyEvent {
  resource: string;
  path: string;
  httpMethod: string;
  headers: Record<string, string>;
  multiValueHeaders: Record<string, string[]>;
  queryStringParameters: Record<string, string> | null;
  multiValueQueryStringParameters: Record<string, string[]> | null;
  pathParameters: Record<string, string> | null;
  stageVariables: null;
  requestContext: ReturnType<typeof requestContext>;
  body: string | null;
  isBase64Encoded: boolean;
}

/** Headers of the connection, which the gateway does not pass on. */
const HOP_BY_HOP = ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "expect"];

/**
 * Creates the event of a request, without its body. `method` is undefined for a request without a route. `path` is percent-encoded, as
 * the client sent it.
 */
export function createEvent(
  api: RestApi,
  method: Method | undefined,
  request: IncomingMessage,
  { path, search, parameters }: { path: string; search: string; parameters: Record<string, string> | null },
): ProxyEvent {
  const { headers, multiValueHeaders } = readHeaders(request);
  const query = readQuery(search);
  return {
    resource: method?.resourcePath ?? "",
    path,
    httpMethod: request.method ?? "GET",
    headers,
    multiValueHeaders,
    queryStringParameters: query && Object.fromEntries(Object.entries(query).map(([k, v]) => [k, v.at(-1) ?? ""])),
    multiValueQueryStringParameters: query,
    pathParameters: parameters,
    stageVariables: null,
    requestContext: requestContext(api, method, request, path),
    body: null,
    isBase64Encoded: false,
  };
}

/** The ARN of a method in the policies of authorizers. */
export function methodArn(api: RestApi, httpMethod: string, path: string): string {
  return `arn:${PARTITION}:execute-api:${REGION}:${ACCOUNT}:${api.id}/${api.stage}/${httpMethod}${path}`;
}

function requestContext(api: RestApi, method: Method | undefined, request: IncomingMessage, path: string) {
  const now = new Date();
  const domainName = request.headers.host ?? "localhost";
  return {
    accountId: ACCOUNT,
    apiId: api.id,
    authorizer: undefined as Record<string, string> | undefined,
    deploymentId: "local",
    domainName,
    domainPrefix: domainName.split(/[.:]/)[0] ?? "",
    extendedRequestId: `${now.getTime().toString(36)}=`,
    httpMethod: request.method ?? "GET",
    identity: {
      sourceIp: request.socket.remoteAddress ?? "127.0.0.1",
      userAgent: request.headers["user-agent"] ?? null,
    },
    operationName: method?.operationName,
    // The path has no stage, as on AWS with a custom domain.
    path,
    protocol: `HTTP/${request.httpVersion}`,
    requestId: randomUUID(),
    requestTime: commonLogTime(now),
    requestTimeEpoch: now.getTime(),
    resourceId: method?.resourceId ?? "",
    resourcePath: method?.resourcePath ?? "",
    stage: api.stage,
  };
}

function readHeaders({ rawHeaders, socket }: IncomingMessage) {
  const multiValueHeaders: Record<string, string[]> = {};
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (HOP_BY_HOP.includes(name.toLowerCase())) continue;
    const value = rawHeaders[i + 1] ?? "";
    if (Object.hasOwn(multiValueHeaders, name)) multiValueHeaders[name]?.push(value);
    else multiValueHeaders[name] = [value];
  }
  const before = multiValueHeaders["X-Forwarded-For"]?.at(-1);
  multiValueHeaders["X-Forwarded-For"] = [[before, socket.remoteAddress].filter(Boolean).join(", ")];
  multiValueHeaders["X-Forwarded-Proto"] = ["http"];
  multiValueHeaders["X-Forwarded-Port"] = [String(socket.localPort)];
  const headers = Object.fromEntries(Object.entries(multiValueHeaders).map(([k, v]) => [k, v.at(-1) ?? ""]));
  return { headers, multiValueHeaders };
}

/** Decodes the query, as API Gateway does. Invalid UTF-8 becomes U+FFFD. */
function readQuery(search: string): Record<string, string[]> | null {
  if (!search) return null;
  const query: Record<string, string[]> = {};
  for (const [name, value] of new URLSearchParams(search)) {
    if (Object.hasOwn(query, name)) query[name]?.push(value);
    else query[name] = [value];
  }
  return Object.keys(query).length > 0 ? query : null;
}

/** `21/Nov/2026:12:00:00 +0000` */
function commonLogTime(at: Date): string {
  return at.toUTCString().replace(/^\w+, (\d+) (\w+) (\d+) ([\d:]+) GMT$/, "$1/$2/$3:$4 +0000");
}
