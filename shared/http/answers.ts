import type { MiddlewareObj } from "@middy/core";
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { AppError } from "../errors.ts";
import type { Answer } from "../idempotency/run-once.ts";
import { log } from "../log.ts";
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
  "etag, location, retry-after, ratelimit, ratelimit-policy, x-request-id, x-session-id, x-vercel-ai-ui-message-stream, idempotency-replayed";

/** Middleware: request id, security and CORS headers on every answer; a problem (RFC 9457) for every error. */
export function answers(corsOrigins: readonly string[]): Answers {
  return {
    after: (request) => {
      if (request.response) Object.assign(request.response, withHeaders(request.response, request.event, corsOrigins));
    },
    onError: (request) => {
      const { status, headers, body } = problemAnswer(request.error, requestIdOf(request.event));
      if (status >= 500) logFailure(request.event, request.error);
      request.response = withHeaders({ statusCode: status, headers, body }, request.event, corsOrigins);
    },
  };
}

/** An error as the problem (RFC 9457) that the client is told. */
export function problemAnswer(error: unknown, requestId: string): Answer {
  const problem = problemOf(error, requestId);
  const known = error instanceof AppError ? error : undefined;
  const seconds = known?.retryAfter ?? (problem.status === 503 || problem.status === 429 ? 1 : undefined);
  return {
    status: problem.status,
    headers: {
      "content-type": "application/problem+json",
      ...(problem.status === 401 ? { "www-authenticate": "Bearer" } : {}),
      ...(seconds === undefined ? {} : { "retry-after": String(seconds) }),
      ...known?.headers,
    },
    body: JSON.stringify(problem),
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
