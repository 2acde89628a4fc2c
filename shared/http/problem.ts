import { AppError } from "../errors.ts";
import type { Answer } from "../idempotency/run-once.ts";
import type { Problem } from "./openapi-responses.ts";

const TITLES: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  409: "Conflict",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
};

/** Describes an error to the client. Details of a 5xx are for the operators only. */
export function problemOf(error: unknown, requestId: string): Problem {
  const known = error instanceof AppError ? error : new AppError("internal", "", { cause: error });
  const { code, status, fields } = known;
  return {
    type: `urn:memocha:problem:${code}`,
    title: TITLES[status] ?? "Error",
    status,
    detail:
      status >= 500
        ? "The service failed to handle the request. Operators find the cause in the logs by the request_id."
        : known.message,
    code,
    request_id: requestId,
    ...(fields.length > 0 ? { errors: [...fields] } : {}),
  };
}

/** Adds OpenAI's `error` to a problem. OpenAI's SDKs show only its message. */
export function withOpenAIError(problem: Problem, error?: unknown): Problem {
  const { status, detail, code, errors } = problem;
  const type = status >= 500 ? "server_error" : (OPENAI_TYPES[status] ?? "invalid_request_error");
  const providerCode = error instanceof AppError ? error.providerCode : undefined;
  return {
    ...problem,
    error: { message: detail, type, param: errors?.[0]?.path ?? null, code: providerCode ?? code },
  };
}

const OPENAI_TYPES: Record<number, string> = {
  401: "authentication_error",
  403: "permission_error",
  429: "rate_limit_error",
};

/** Converts an error to an answer with a problem. If `isOpenAI` is true, the problem also has OpenAI's `error`. */
export function problemAnswer(error: unknown, requestId: string, isOpenAI = false): Answer {
  const plain = problemOf(error, requestId);
  const problem = isOpenAI ? withOpenAIError(plain, error) : plain;
  const { headers, retryAfter } = error instanceof AppError ? error : {};
  const seconds = retryAfter ?? (problem.status === 503 || problem.status === 429 ? 1 : undefined);
  return {
    status: problem.status,
    headers: {
      "content-type": "application/problem+json",
      ...(problem.status === 401 ? { "www-authenticate": "Bearer" } : {}),
      ...(seconds === undefined ? {} : { "retry-after": String(seconds) }),
      ...headers,
    },
    body: JSON.stringify(problem),
  };
}
