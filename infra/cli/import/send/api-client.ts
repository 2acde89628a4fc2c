import { setTimeout as delay } from "node:timers/promises";
import { counted } from "../../../../shared/counted.ts";
import { type RetryPolicy, retryAfterOf, waitBefore } from "./backoff.ts";
import { Interrupted, Refused, Unreachable } from "./errors.ts";

export interface ApiRequest {
  method: "GET" | "POST";
  /** From the root, with its ids encoded. */
  path: string;
  /** Whom the token acts for. */
  user?: string | undefined;
  body?: unknown;
  idempotencyKey?: string;
  /** Statuses that are an answer though they are none of success. */
  accept?: readonly number[];
  /** Statuses that pass, beside 408, 429 and 5xx. */
  retry?: readonly number[];
}

export interface ApiAnswer {
  status: number;
  body: unknown;
}

/**
 * Sends a request until it is answered for good.
 * @throws Refused, Unreachable after the last attempt, Interrupted when stopped before or between attempts.
 */
export type Send = (request: ApiRequest) => Promise<ApiAnswer>;

export interface ApiOptions {
  /** Where the API is, without a slash at the end. */
  url: string;
  token: () => Promise<string>;
  policy: RetryPolicy;
  /** Stops before the next attempt; one that is under way is finished. */
  signal: AbortSignal;
}

export function createApi({ url, token, policy, signal }: ApiOptions): Send {
  return async (request) => {
    for (let attempt = 1; ; attempt++) {
      if (signal.aborted) throw new Interrupted();
      const outcome = await attemptOnce(request);
      if ("status" in outcome) return outcome;
      if (attempt === policy.attempts)
        throw new Unreachable(`${outcome.reason} (${counted(attempt, "attempt")})`, { cause: outcome.cause });
      const wait = waitBefore(attempt, policy, outcome.asked);
      await delay(wait, undefined, { signal }).catch(() => undefined);
    }
  };

  async function attemptOnce(request: ApiRequest): Promise<ApiAnswer | Passing> {
    const headers = headersOf(request, await token());
    // AbortSignal.timeout would hold on to each request, its body included, until the time is over.
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(new TimedOut()), policy.timeoutMs);
    try {
      const response = await fetch(`${url}${request.path}`, {
        method: request.method,
        headers,
        body: request.body === undefined ? null : JSON.stringify(request.body),
        redirect: "error",
        signal: timeout.signal,
      });
      return judge(request, response, await response.text());
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
    super("no answer in time");
    this.name = "TimedOut";
  }
}

/** A failure that may pass. */
interface Passing {
  reason: string;
  cause?: unknown;
  /** Milliseconds that the server asks to wait. */
  asked: number;
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

function judge({ accept = [], retry = [] }: ApiRequest, response: Response, text: string): ApiAnswer | Passing {
  const { status, ok } = response;
  // An answer of success that is no JSON is one that was cut off: this throws, and the request is sent again.
  if (ok) return { status, body: JSON.parse(text) };
  if (accept.includes(status)) return { status, body: undefined };
  const reason = `${status}: ${detailOf(text) ?? response.statusText}`;
  const isPassing = status === 408 || status === 429 || status >= 500 || retry.includes(status);
  if (!isPassing) throw new Refused(status, reason);
  return { reason, asked: retryAfterOf(response.headers) };
}

/** What a problem+json document says is wrong. */
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
  if (error instanceof SyntaxError) return "the answer was cut off, or is no JSON";
  // fetch says "fetch failed"; why is in its cause.
  const reason = cause as NodeJS.ErrnoException | undefined;
  return reason?.code ?? reason?.message ?? message;
}
