import { setTimeout as delay } from "node:timers/promises";
import { counted } from "../../../../shared/counted.ts";

/** The number of attempts of a request, and the waits between them. Times are in milliseconds. */
export interface RetryPolicy {
  attempts: number;
  baseMs: number;
  /** The longest wait of the exponential backoff. */
  capMs: number;
  /** The longest wait that the server may ask for. */
  maxRetryAfterMs: number;
  /** The longest time to wait for an answer. */
  timeoutMs: number;
}

/** Maximum number of waits of a request because of a rate limit. */
const MAX_WAITS = 100;

export const defaultRetryPolicy: RetryPolicy = {
  attempts: 7,
  baseMs: 250,
  capMs: 15_000,
  maxRetryAfterMs: 120_000,
  timeoutMs: 60_000,
};

export interface ApiRequest {
  method: "GET" | "POST" | "PATCH";
  /** The path from the API's root, with encoded ids. */
  path: string;
  /** The user that the token acts for. */
  user?: string | undefined;
  body?: unknown;
  idempotencyKey?: string;
  /** Statuses that are answers and not errors, in addition to 2xx. */
  accept?: readonly number[];
  /** Statuses after which the request is sent again, in addition to 408, 429 and 5xx. */
  retry?: readonly number[];
  /** An upload of `content` to a signed URL, with these headers. It replaces the request to the API. */
  upload?: { url: string; headers: Record<string, string>; content: Uint8Array };
}

interface ApiAnswer {
  status: number;
  body: unknown;
}

/**
 * Sends a request, and sends it again after a temporary failure.
 * @throws Refused; Unreachable after the last attempt; Interrupted when the run is stopped before an attempt.
 */
export type Send = (request: ApiRequest) => Promise<ApiAnswer>;

export interface ApiOptions {
  /** The API's URL, without a slash at the end. */
  url: string;
  token: () => Promise<string>;
  policy: RetryPolicy;
  /** Prevents the next attempt when it is aborted. An attempt under way is finished. */
  signal: AbortSignal;
}

export function createApiClient({ url, token, policy, signal }: ApiOptions): Send {
  return async (request) => {
    let waits = 0;
    for (let attempt = 1; ; ) {
      if (signal.aborted) throw new Interrupted();
      const outcome = await attemptOnce(request);
      if ("status" in outcome) return outcome;
      if (attempt === policy.attempts || waits === MAX_WAITS)
        throw new Unreachable(`${outcome.reason} (${counted(attempt, "attempt")})`, { cause: outcome.cause });
      const wait = waitBefore(attempt, policy, outcome.asked);
      await delay(wait, undefined, { signal }).catch(() => undefined);
      // A rate limit with a given wait does not count as a failed attempt.
      if (outcome.isLimit && outcome.asked > 0) waits += 1;
      else attempt += 1;
    }
  };

  async function attemptOnce(request: ApiRequest): Promise<ApiAnswer | Temporary> {
    const { upload } = request;
    const headers = upload?.headers ?? headersOf(request, await token());
    // AbortSignal.timeout would keep each request and its body in memory until the timeout.
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(new TimedOut()), policy.timeoutMs);
    try {
      const response = await fetch(upload?.url ?? `${url}${request.path}`, {
        method: upload ? "PUT" : request.method,
        headers,
        body: upload?.content ?? (request.body === undefined ? null : JSON.stringify(request.body)),
        redirect: "error",
        signal: timeout.signal,
      });
      return toOutcome(request, response, await response.text());
    } catch (error) {
      if (error instanceof Refused) throw error;
      return { reason: reasonOf(error), cause: error, asked: 0 };
    } finally {
      clearTimeout(timer);
    }
  }
}

class TimedOut extends Error {
  constructor() {
    super("no answer before the timeout");
    this.name = "TimedOut";
  }
}

/** A failure that may be temporary. */
interface Temporary {
  reason: string;
  cause?: unknown;
  /** Milliseconds that the server asks the client to wait. */
  asked: number;
  /** Whether the server limits the rate of requests. */
  isLimit?: boolean;
}

function headersOf({ user, body, idempotencyKey }: ApiRequest, token: string): Record<string, string> {
  return {
    accept: "application/json",
    authorization: `Bearer ${token}`,
    ...(body !== undefined && { "content-type": "application/json" }),
    ...(user !== undefined && { "x-user-id": user }),
    ...(idempotencyKey !== undefined && { "idempotency-key": idempotencyKey }),
  };
}

function toOutcome(request: ApiRequest, response: Response, text: string): ApiAnswer | Temporary {
  const { accept = [], retry = [], upload } = request;
  const { status, ok } = response;
  if (ok && upload) return { status, body: undefined };
  // A successful answer that is not JSON was cut off: JSON.parse throws, and the request is sent again.
  if (ok) return { status, body: JSON.parse(text) };
  if (accept.includes(status)) return { status, body: undefined };
  const reason = `${status}: ${detailOf(text) ?? response.statusText}`;
  const isTemporary = status === 408 || status === 429 || status >= 500 || retry.includes(status);
  if (!isTemporary) throw new Refused(status, reason);
  return { reason, asked: retryAfterOf(response.headers), isLimit: status === 429 };
}

/** The error text of a problem+json document. */
function detailOf(text: string): string | undefined {
  try {
    const { detail, title, message, errors = [] } = JSON.parse(text);
    const fields = errors.map(({ path, message }: Record<string, unknown>) => `${path} ${message}`);
    return [detail ?? title ?? message, ...fields].filter(Boolean).join("; ") || undefined;
  } catch {
    return text.slice(0, 200) || undefined;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof TimedOut) return error.message;
  const { message, cause } = error as Error;
  if (error instanceof SyntaxError) return "the answer was cut off, or is not JSON";
  // The error of fetch is "fetch failed"; its cause has the reason.
  const reason = cause as NodeJS.ErrnoException | undefined;
  return reason?.code ?? reason?.message ?? message;
}

/** The server refused the content of a request: sending it again would not help. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.name = "Refused";
    this.status = status;
  }
}

/** The server gave no useful answer in any attempt. */
export class Unreachable extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = "Unreachable";
  }
}

/** The run is being stopped, so nothing more is sent. */
export class Interrupted extends Error {
  constructor() {
    super("interrupted");
    this.name = "Interrupted";
  }
}

/**
 * The wait before the next attempt: exponential backoff with full jitter
 * (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/), plus the wait that the server asks for.
 * @param attempt the attempts made so far, 1 or more.
 * @param asked milliseconds that the server asks for.
 */
export function waitBefore(attempt: number, policy: RetryPolicy, asked: number): number {
  const jitter = Math.random() * Math.min(policy.capMs, policy.baseMs * 2 ** (attempt - 1));
  return Math.min(asked, policy.maxRetryAfterMs) + jitter;
}

/**
 * The wait that the server asks for in `Retry-After`, 0 if it does not. A date is compared with the answer's own `Date`, because the
 * server's clock may differ from this machine's.
 */
export function retryAfterOf(headers: Headers): number {
  const retryAfter = headers.get("retry-after");
  if (retryAfter === null) return 0;
  const seconds = Number(retryAfter);
  const asked = Number.isNaN(seconds) ? Date.parse(retryAfter) - Date.parse(headers.get("date") ?? "") : seconds * 1000;
  return Number.isNaN(asked) ? 0 : Math.max(0, asked);
}
