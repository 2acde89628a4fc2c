import type { MiddlewareObj } from "@middy/core";
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { AppError } from "../errors.ts";
import { headerOf } from "./headers.ts";
import { problemOf } from "./problem.ts";

type Answers = MiddlewareObj<APIGatewayProxyEvent, APIGatewayProxyResult>;

/** Headers of every answer: none of them may be stored, sniffed, framed or read by other origins. */
export const SECURITY_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "strict-transport-security": "max-age=63072000; includeSubDomains",
  "x-content-type-options": "nosniff",
} as const;

/** Headers that a browser's script may read. */
const EXPOSED =
  "etag, location, retry-after, ratelimit, ratelimit-policy, x-request-id, x-session-id, idempotency-replayed";

/** Middleware: request id, security and CORS headers on every answer; a problem (RFC 9457) for every error. */
export function answers(corsOrigins: readonly string[]): Answers {
  return {
    after: (request) => {
      if (request.response) Object.assign(request.response, withHeaders(request.response, request.event, corsOrigins));
    },
    onError: (request) => {
      const requestId = requestIdOf(request.event);
      const problem = problemOf(request.error, requestId);
      if (problem.status >= 500) log(request.event, request.error);
      const retryAfter = request.error instanceof AppError ? request.error.retryAfter : undefined;
      const seconds = retryAfter ?? (problem.status === 503 || problem.status === 429 ? 1 : undefined);
      request.response = withHeaders(
        {
          statusCode: problem.status,
          headers: {
            "content-type": "application/problem+json",
            ...(seconds === undefined ? {} : { "retry-after": String(seconds) }),
            ...(request.error instanceof AppError ? request.error.headers : {}),
          },
          body: JSON.stringify(problem),
        },
        request.event,
        corsOrigins,
      );
    },
  };
}

export const requestIdOf = (event: APIGatewayProxyEvent): string => event.requestContext?.requestId ?? "";

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

/** One line of JSON for the operators; it holds no message content. */
function log(event: APIGatewayProxyEvent, error: unknown): void {
  const { message, stack, cause } = error instanceof Error ? error : new Error(String(error));
  console.error(
    JSON.stringify({
      level: "error",
      request_id: requestIdOf(event),
      route: `${event.httpMethod} ${event.resource}`,
      message,
      stack,
      cause: cause instanceof Error ? { name: cause.name, message: cause.message } : cause,
    }),
  );
}
