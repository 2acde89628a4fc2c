import { AppError } from "../errors.ts";

/**
 * Why a model did not answer. `busy`: try again later (408, 409, 429). `down`: 5xx, network, timeouts. `refused`: it will not take
 * this request, however often it is asked. `unusable`: it does not know us or the model, or its circuit is open.
 */
export type ModelFailure = "busy" | "down" | "refused" | "unusable";

interface ModelErrorOptions {
  cause?: unknown;
  /** HTTP status of the provider. */
  status?: number | undefined;
  /** Milliseconds after which the provider wants to be asked again. */
  retryAfter?: number | undefined;
}

/** The only error that adapters of models throw. Its message is for operators, not for clients. */
export class ModelError extends Error {
  readonly failure: ModelFailure;
  readonly status: number | undefined;
  readonly retryAfter: number | undefined;

  constructor(failure: ModelFailure, message: string, options: ModelErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = "ModelError";
    this.failure = failure;
    this.status = options.status;
    this.retryAfter = options.retryAfter;
  }
}

/** The caller has aborted the request. That is not the provider's fault, so its circuit breaker does not count it. */
export const givenUp = (cause: unknown): ModelError => new ModelError("unusable", "the turn was given up", { cause });

/** Whether asking the same provider again may help. */
export const isRetryable = (error: unknown): error is ModelError =>
  error instanceof ModelError && (error.failure === "busy" || error.failure === "down");

/** Whether the provider is at fault: what its circuit breaker counts. */
export const isOutage = (error: unknown): boolean => error instanceof ModelError && error.failure === "down";

/** Whether the provider answered, although it refused. Without a status, the error is not from the provider. */
export const isAnswer = (error: unknown): boolean =>
  error instanceof ModelError && error.status !== undefined && !isOutage(error);

/** Seconds after which a client may come back at the latest: it may meet another provider, or a provider that has changed its mind. */
const MAX_RETRY_AFTER = 60;

/** Turns any error of a turn into one for the client: its own mistake, or a request to try again later. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (!(error instanceof ModelError)) return new AppError("internal", "the turn failed", { cause: error });
  if (error.failure === "refused")
    return new AppError("bad_request", "the model does not take this request", { cause: error });
  const seconds = Math.min(MAX_RETRY_AFTER, Math.max(1, Math.ceil((error.retryAfter ?? 0) / 1000)));
  return new AppError("unavailable", "the model does not answer", { cause: error, retryAfter: seconds });
}
