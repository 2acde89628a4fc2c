import type * as z from "zod";
import type { operations } from "../shared/http/operations.ts";
import { baseUrl } from "./settings.ts";
import type { Identity } from "./sign-in.ts";

// The types of requests and answers come from the schemas with which the API validates requests.
type Operation = (typeof operations)[keyof typeof operations];
type RouteOf<O> = O extends { method: infer M extends string; path: infer P extends string } ? `${M} ${P}` : never;
type Route = RouteOf<Operation>;
type OperationOf<R> = Operation extends infer O
  ? O extends Operation
    ? RouteOf<O> extends R
      ? O
      : never
    : never
  : never;
type Input<O, K extends string> = O extends { [P in K]: infer S extends z.ZodType }
  ? { [P in K]: z.input<S> }
  : unknown;
type Success<A> = A extends { 200: infer S }
  ? S
  : A extends { 201: infer S }
    ? S
    : A extends { 202: infer S }
      ? S
      : null;
type Output<O> = O extends { answers: infer A }
  ? Success<A> extends z.ZodType
    ? z.output<Success<A>>
    : undefined
  : never;

/** The input of a route: path parameters, query and body, by the route's schemas. */
export type RequestOf<R extends Route> = RequestOfOperation<OperationOf<R>>;

/** The input of each route. It is a map, because the compiler cannot handle the intersection of the unions of all operations. */
type RequestOfOperation<O> = O extends unknown
  ? Input<O, "params"> & Partial<Input<O, "query">> & Input<O, "body"> & RequestOptions
  : never;

export type AnswerOf<R extends Route> = Output<OperationOf<R>>;

interface RequestOptions {
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

interface AnyRequest extends RequestOptions {
  params?: Record<string, string>;
  query?: Record<string, unknown>;
  body?: unknown;
}

/** An error of the API. If there is no answer, `status` is 0. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;
  readonly code: string;
  /** Milliseconds after which to try again; undefined = the API has given no time. */
  readonly retryAfter: number | undefined;

  constructor(status: number, problem: { detail?: string; code?: string }, retryAfter?: number) {
    super(problem.detail ?? "");
    this.status = status;
    this.code = problem.code ?? "";
    this.retryAfter = retryAfter;
  }
}

export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, { detail: String(error) });
}

export interface Api {
  /** Calls a route and returns the body of its answer. Throws ApiError. */
  call<R extends Route>(route: R, request: RequestOf<R>): Promise<AnswerOf<R>>;
  /** Calls a route that streams. Throws ApiError. */
  open(route: Route, request: AnyRequest): Promise<Response>;
}

/** Attempts at a route that answers 503. */
const ATTEMPTS = 4;
/** Milliseconds before the next attempt if the API has given no time. */
const PAUSE = 1000;

export function createApi(identity: Identity): Api {
  async function attempt(route: Route, request: AnyRequest, renew: boolean): Promise<Response> {
    const [method = "GET", template = "/"] = route.split(" ");
    const url = new URL(pathOf(template, request.params).slice(1), baseUrl);
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
    }
    const token = await identity.token(renew);
    const response = await fetch(url, {
      method,
      headers: {
        accept: "application/json",
        authorization: `Bearer ${token}`,
        ...(request.body !== undefined && { "content-type": "application/json" }),
        ...request.headers,
      },
      ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
      // A deletion is also sent when the page is closed.
      keepalive: method === "DELETE",
      ...(request.signal && { signal: request.signal }),
    });
    if (response.status === 401 && !renew) return await attempt(route, request, true);
    return response;
  }

  async function open(route: Route, request: AnyRequest): Promise<Response> {
    const isRepeatable = !route.startsWith("POST") || request.headers?.["idempotency-key"] !== undefined;
    for (let n = 1; ; n++) {
      const response = await attempt(route, request, false).catch((error: unknown) => {
        if (request.signal?.aborted) throw error;
        throw new ApiError(0, { detail: String(error) });
      });
      if (response.ok) return response;
      const error = await errorOf(response);
      if (error.status !== 503 || !isRepeatable || n >= ATTEMPTS) throw error;
      await pause(error.retryAfter ?? PAUSE * n, request.signal);
    }
  }

  return {
    open,
    async call<R extends Route>(route: R, request: RequestOf<R>) {
      const response = await open(route, request as AnyRequest);
      return (response.status === 204 ? undefined : await response.json()) as AnswerOf<R>;
    },
  };
}

function pathOf(template: string, params: Record<string, string> = {}): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ""));
}

async function errorOf(response: Response): Promise<ApiError> {
  const seconds = Number(response.headers.get("retry-after"));
  const problem = await response.json().catch(() => ({}));
  return new ApiError(response.status, problem, seconds > 0 ? seconds * 1000 : undefined);
}

export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
