import type { IncomingMessage, ServerResponse } from "node:http";
import type { ProxyEvent } from "./event.ts";
import { type GatewayResponseKind, renderGatewayResponse } from "./gateway-response.ts";
import type { RestApi } from "./rest-api.ts";

/** Milliseconds in which a client may keep sending a refused body, so that it can read the response. */
const REFUSED_BODY_GRACE = 2_000;

/** A request and its response. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  api: RestApi;
  event: ProxyEvent;
  cause: string | undefined;
}

/** Sends a response of the gateway itself, unless a response has begun. `cause` is for the log. */
export function answer(current: Exchange, kind: GatewayResponseKind, message: string, cause?: string): void {
  const { response, request, api, event } = current;
  if (cause) current.cause = cause;
  if (response.headersSent || response.destroyed) return;
  const scope = { context: event.requestContext, headers: request.headers };
  const rendered = renderGatewayResponse(api.gatewayResponses, kind, message, scope);
  const body = Buffer.from(rendered.body, "utf8");
  response.writeHead(rendered.status, withIds(current, { ...rendered.headers, "content-length": String(body.length) }));
  response.end(body);
}

/** Adds the request id to the headers of a response, as API Gateway does. */
export function withIds<T extends Record<string, string>>({ event }: Exchange, headers: T): T {
  return { "x-amzn-requestid": event.requestContext.requestId, ...headers };
}

/** Sends a response of the gateway before the body was read, and discards the body. */
export function refuse(current: Exchange, kind: GatewayResponseKind, message: string, cause?: string): void {
  const { request, response } = current;
  const { "transfer-encoding": encoding, "content-length": length = 0 } = request.headers;
  if (!request.complete && (encoding !== undefined || Number(length) > 64 * 1024)) {
    response.setHeader("connection", "close");
    response.once("finish", () => setTimeout(() => request.destroy(), REFUSED_BODY_GRACE).unref());
    request.on("error", () => {});
  }
  request.resume();
  answer(current, kind, message, cause);
}
