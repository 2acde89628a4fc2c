import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { AppError } from "../errors.ts";
import { log } from "../log.ts";
import { headerOf, requestIdOf } from "./headers.ts";
import type { Middleware } from "./http-request.ts";
import type { Operation } from "./operations/operation.ts";
import { problemAnswer } from "./problem.ts";
import { SECURITY_HEADERS } from "./response-headers.ts";

/** Response headers that scripts of other origins may read. */
const EXPOSED =
  "etag, location, retry-after, ratelimit, ratelimit-policy, x-request-id, x-session-id, x-vercel-ai-ui-message-stream, idempotency-replayed";

/** Middleware: adds the request id, security and CORS headers to every answer, and answers every error with a problem (RFC 9457). */
export function answers({ isOpenAI }: Operation, corsOrigins: readonly string[]): Middleware {
  return {
    after: (request) => {
      if (request.response) Object.assign(request.response, withHeaders(request.response, request.event, corsOrigins));
    },
    onError: (request) => {
      const { status, headers, body } = problemAnswer(request.error, requestIdOf(request.event), isOpenAI);
      if (status >= 500) logFailure(request.event, request.error);
      request.response = withHeaders({ statusCode: status, headers, body }, request.event, corsOrigins);
    },
  };
}

function withHeaders(
  response: APIGatewayProxyResult,
  event: APIGatewayProxyEvent,
  corsOrigins: readonly string[],
): APIGatewayProxyResult {
  const origin = headerOf(event, "origin");
  const allowed = origin !== undefined && (corsOrigins.includes("*") || corsOrigins.includes(origin));
  return {
    ...response,
    headers: {
      ...SECURITY_HEADERS,
      "x-request-id": requestIdOf(event),
      ...(corsOrigins.length > 0 ? { vary: "origin" } : {}),
      ...(allowed ? { "access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED } : {}),
      ...response.headers,
    },
  };
}

function logFailure(event: APIGatewayProxyEvent, error: unknown): void {
  const { message, stack, cause } = error instanceof Error ? error : new Error(String(error));
  log("error", {
    route: `${event.httpMethod} ${event.resource}`,
    ...(error instanceof AppError ? { code: error.code } : {}),
    message,
    stack,
    cause: cause instanceof Error ? { name: cause.name, message: cause.message } : cause,
  });
}
