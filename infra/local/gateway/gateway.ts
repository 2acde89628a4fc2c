import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { LambdaFunction } from "../lambda/lambda-function.ts";
import { createAuthorize } from "./authorize.ts";
import { encodeBody, isBinary, JSON_TYPE, readBody } from "./body.ts";
import { createEvent, methodArn } from "./event.ts";
import { answer, type Exchange, refuse, withIds } from "./exchange.ts";
import { integrate } from "./integrate.ts";
import { mockHeaders } from "./mock.ts";
import type { Method, RestApi } from "./rest-api.ts";

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

/** Creates the HTTP server of a REST API. It answers 503 until `serve` is called, so that it can take its port early. */
export function createGateway(options: {
  find(functionName: string): LambdaFunction | undefined;
  onRequest(entry: RequestLog): void;
}): { server: Server; serve(api: RestApi): void } {
  let api: RestApi | undefined;
  const authorize = createAuthorize(options.find);
  const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
    if (api) return void exchange(api, request, response);
    response.writeHead(503, { "content-type": "application/json", "retry-after": "1" });
    response.end('{"message":"The local host is starting"}');
  });

  async function exchange(served: RestApi, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const began = performance.now();
    const [, path = "/", search = ""] = /^([^?]*)\??(.*)$/s.exec(request.url ?? "/") ?? [];
    const match = served.router.match(request.method ?? "GET", path);
    const event = createEvent(served, match?.method, request, { path, search, parameters: match?.parameters ?? null });
    const current: Exchange = { request, response, api: served, event, cause: undefined };
    response.on("close", () => {
      options.onRequest({
        method: event.httpMethod,
        route: event.resource || path,
        path,
        status: response.headersSent ? response.statusCode : 499,
        milliseconds: performance.now() - began,
        requestId: event.requestContext.requestId,
        cause: current.cause,
      });
    });
    try {
      await handle(current, match?.method);
    } catch (error) {
      current.cause ??= error instanceof Error ? error.message : String(error);
      if (response.headersSent || request.destroyed) response.destroy();
      else answer(current, "API_CONFIGURATION_ERROR", "Internal server error");
    }
  }

  async function handle(current: Exchange, method: Method | undefined): Promise<void> {
    const { request, response, api: served, event } = current;
    const type = request.headers["content-type"];
    if (!method) return refuse(current, "MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token");
    if (method.closed) return refuse(current, "ACCESS_DENIED", "User is not authorized to access this resource");
    if (method.throttle && !method.throttle.take()) return refuse(current, "THROTTLED", "Too Many Requests");
    if (method.authorizer) {
      const arn = methodArn(served, event.httpMethod, event.path);
      const authorization = await authorize(method.authorizer, event, arn);
      if ("kind" in authorization) {
        return refuse(current, authorization.kind, authorization.message, authorization.cause);
      }
      event.requestContext.authorizer = authorization.context;
    }
    const body = await readBody(request);
    if (!body) return refuse(current, "REQUEST_TOO_LARGE", "Request Too Long");
    const { integration } = method;
    const fail = (cause: string) => answer(current, "API_CONFIGURATION_ERROR", "Internal server error", cause);
    if (integration.kind === "refused") return fail(integration.cause);
    if (integration.kind === "mock") {
      const { mock } = integration;
      if (!mock.takesBinary && isBinary(type ?? JSON_TYPE, served.binaryMediaTypes)) {
        return fail(
          "the mock does not accept a binary body, and this request has one: set the integration's ContentHandling to CONVERT_TO_TEXT",
        );
      }
      response.writeHead(mock.status, withIds(current, mockHeaders(mock, request.headers.origin))).end();
      return;
    }
    const target = options.find(integration.functionName);
    if (!target) return fail(`the function ${integration.functionName} does not run here`);
    Object.assign(event, encodeBody(body, type, served.binaryMediaTypes));
    await integrate(current, target, integration);
  }

  return {
    server,
    serve(served) {
      api = served;
    },
  };
}
