import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { LambdaFunction } from "../lambda/function.ts";
import type { Method, RestApi } from "./api.ts";
import { createAuthorizers } from "./authorize.ts";
import { encodeBody, isBinary, JSON_TYPE, readBody } from "./body.ts";
import { createEvent, methodArn, type ProxyEvent } from "./event.ts";
import { answer, type Exchange, refuse, withIds } from "./exchange.ts";
import { integrate } from "./integrate.ts";
import { mockHeaders } from "./mock.ts";

/** A finished request, for the log. */
export interface RequestLog {
  method: string;
  /** The route, or the path of a request without a route. */
  route: string;
  path: string;
  status: number;
  milliseconds: number;
  requestId: string;
  /** Why the gateway itself sent an error. */
  cause: string | undefined;
}

interface GatewayOptions {
  find(functionName: string): LambdaFunction | undefined;
  onRequest(entry: RequestLog): void;
}

/** The method of a request without a route. */
const NO_METHOD: Method = {
  httpMethod: "ANY",
  resourcePath: "",
  resourceId: "",
  operationName: undefined,
  authorizer: undefined,
  closed: false,
  required: [],
  integration: { kind: "unknown", type: "none" },
  throttle: undefined,
};

/** Creates the HTTP server of a REST API. It answers 503 until `serve` is called, so that it can take its port early. */
export function createGateway(options: GatewayOptions): { server: Server; serve(api: RestApi): void } {
  let api: RestApi | undefined;
  const authorizers = createAuthorizers(options.find);
  const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
    if (!api) {
      response.writeHead(503, { "content-type": "application/json", "retry-after": "1" });
      response.end('{"message":"The local host is starting"}');
      return;
    }
    void exchange(api, request, response);
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const tooLarge = error.code === "HPE_HEADER_OVERFLOW";
    const status = tooLarge ? "431 Request Header Fields Too Large" : "400 Bad Request";
    if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  });

  async function exchange(served: RestApi, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const began = performance.now();
    const url = request.url ?? "/";
    const mark = url.indexOf("?");
    const path = mark < 0 ? url : url.slice(0, mark);
    const match = served.router.match(request.method ?? "GET", path);
    const method = match?.method ?? NO_METHOD;
    const parameters = match?.parameters ?? null;
    const search = mark < 0 ? "" : url.slice(mark + 1);
    const event = createEvent(served, method, request, { path, search, parameters });
    const current: Exchange = { request, response, api: served, event, cause: undefined };
    response.on("close", () => {
      options.onRequest({
        method: event.httpMethod,
        route: method.resourcePath || path,
        path,
        status: response.headersSent ? response.statusCode : 499,
        milliseconds: performance.now() - began,
        requestId: event.requestContext.requestId,
        cause: current.cause,
      });
    });
    try {
      await handle(current, method, match !== undefined);
    } catch (error) {
      current.cause ??= error instanceof Error ? error.message : String(error);
      if (response.headersSent || request.destroyed) response.destroy();
      else answer(current, "API_CONFIGURATION_ERROR", "Internal server error");
    }
  }

  async function handle(current: Exchange, method: Method, routed: boolean): Promise<void> {
    const { request, response, api: served, event } = current;
    if (!routed) return refuse(current, "MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token");
    if (method.closed) return refuse(current, "ACCESS_DENIED", "User is not authorized to access this resource");
    if (method.throttle && !method.throttle.take()) return refuse(current, "THROTTLED", "Too Many Requests");
    const missing = method.required.filter((name) => !has(event, name));
    if (missing.length > 0) {
      const names = missing.map((name) => name.slice(name.indexOf(".") + 1));
      return refuse(current, "BAD_REQUEST_PARAMETERS", `Missing required request parameters: [${names.join(", ")}]`);
    }
    if (method.authorizer) {
      const arn = methodArn(served, event.httpMethod, event.path);
      const authorization = await authorizers.authorize(method.authorizer, event, arn);
      if (!authorization.allowed)
        return refuse(current, authorization.kind, authorization.message, authorization.cause);
      event.requestContext.authorizer = authorization.context;
    }
    const body = await readBody(request);
    if (!body) return refuse(current, "REQUEST_TOO_LARGE", "Request Too Long");
    const { integration } = method;
    if (integration.kind === "mock") {
      if (
        !integration.mock.takesBinary &&
        isBinary(request.headers["content-type"] ?? JSON_TYPE, served.binaryMediaTypes)
      ) {
        const cause =
          "the mock does not accept a binary body, and this request has one: set the integration's ContentHandling to CONVERT_TO_TEXT";
        return answer(current, "API_CONFIGURATION_ERROR", "Internal server error", cause);
      }
      const headers = mockHeaders(integration.mock, request.headers.origin);
      response.writeHead(integration.mock.status, withIds(current, headers));
      response.end(integration.mock.body);
      return;
    }
    if (integration.kind === "refused") {
      return answer(current, "API_CONFIGURATION_ERROR", "Internal server error", integration.cause);
    }
    const target = integration.kind === "lambda" ? options.find(integration.functionName) : undefined;
    if (integration.kind !== "lambda" || !target) {
      return answer(
        current,
        "API_CONFIGURATION_ERROR",
        "Internal server error",
        "the local host does not support its integration",
      );
    }
    Object.assign(event, encodeBody(body, request.headers["content-type"], served.binaryMediaTypes));
    await integrate(current, target, integration);
  }

  return {
    server,
    serve(served) {
      api = served;
    },
  };
}

function has(event: ProxyEvent, name: string): boolean {
  const dot = name.indexOf(".");
  const key = name.slice(dot + 1);
  const place = name.slice(0, dot);
  if (place === "querystring") return event.queryStringParameters?.[key] !== undefined;
  if (place === "path") return event.pathParameters?.[key] !== undefined;
  return Object.keys(event.headers).some((header) => header.toLowerCase() === key.toLowerCase());
}
