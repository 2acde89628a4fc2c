import { AppError } from "../errors.ts";

/**
 * The reason why a model did not answer:
 * - `busy`: the client must try again later (408, 409, 429).
 * - `down`: 5xx, network errors, timeouts.
 * - `refused`: the provider rejects this request each time.
 * - `unknown_model`: the provider has no such model.
 * - `misconfigured`: the provider rejects the deployment's key or URL, or the deployment's account has no money left.
 * - `unusable`: the provider was not called, for example because its circuit is open.
 */
export type ModelFailure = "busy" | "down" | "refused" | "unknown_model" | "misconfigured" | "unusable";

interface ModelErrorOptions {
  cause?: unknown;
  /** HTTP status of the provider. */
  status?: number | undefined;
  /** The explanation in the provider's answer. */
  said?: ProviderError | undefined;
  /** Milliseconds after which the provider allows the next request. */
  retryAfter?: number | undefined;
}

/** The body of a provider's error answer. The message may quote the conversation. */
export interface ProviderError {
  message?: string;
  code?: string;
  /** The parameter that is wrong. */
  param?: string;
}

/** The only error that adapters of models throw. Its message is for operators, not for clients. */
export class ModelError extends Error {
  readonly failure: ModelFailure;
  readonly status: number | undefined;
  readonly said: ProviderError;
  readonly retryAfter: number | undefined;

  constructor(failure: ModelFailure, message: string, options: ModelErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = "ModelError";
    this.failure = failure;
    this.status = options.status;
    this.said = options.said ?? {};
    this.retryAfter = options.retryAfter;
  }
}

/** The error of a request that the caller has aborted. The circuit breaker does not count it, because the provider did not fail. */
export function givenUp(cause: unknown): ModelError {
  return new ModelError("unusable", "the caller has aborted the request", { cause });
}

/** Whether another call to the same provider may succeed. */
export function isRetryable(error: unknown): error is ModelError {
  return error instanceof ModelError && (error.failure === "busy" || error.failure === "down");
}

/** Whether the provider has failed. Its circuit breaker counts these errors. */
export function isOutage(error: unknown): boolean {
  return error instanceof ModelError && error.failure === "down";
}

/** Whether the provider answered with a refusal. An error without a status is not from the provider. */
export function isAnswer(error: unknown): boolean {
  return error instanceof ModelError && error.status !== undefined && !isOutage(error);
}

/** Maximum seconds that a client is told to wait. After that, another provider may answer, or the same one may accept the request. */
const MAX_RETRY_AFTER = 60;

/** Converts any error of a turn to an error for the client: a bad request, a wrong configuration, or a request to try again later. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (!(error instanceof ModelError)) return new AppError("internal", "the turn failed", { cause: error });
  const { failure, retryAfter, said } = error;
  if (failure === "refused") return refusalOf(error);
  if (failure === "unknown_model") {
    const fields = [{ path: "model", message: "does not exist" }];
    return new AppError("model_not_found", "model: the provider has no such model", { cause: error, fields });
  }
  if (failure === "misconfigured") {
    return new AppError("bad_gateway", "the provider rejects the API key or the settings of this deployment", {
      cause: error,
      providerCode: said.code,
    });
  }
  const seconds = Math.min(MAX_RETRY_AFTER, Math.max(1, Math.ceil((retryAfter ?? 0) / 1000)));
  return new AppError("unavailable", "the model does not answer", { cause: error, retryAfter: seconds });
}

function refusalOf(cause: ModelError): AppError {
  const { message, code, param } = cause.said;
  const reason = message ?? "no reason is given";
  return new AppError("bad_request", `the model's provider rejects this request: ${reason}`, {
    cause,
    providerCode: code,
    ...(param === undefined ? {} : { fields: [{ path: param, message: reason }] }),
  });
}
