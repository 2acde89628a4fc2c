/** Every error code, with its HTTP status (RFC 9457 `code` and `status`). */
export const statusOf = {
  bad_request: 400,
  validation_failed: 400,
  invalid_cursor: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  model_not_found: 404,
  conflict: 409,
  being_erased: 409,
  precondition_failed: 412,
  payload_too_large: 413,
  unsupported_media_type: 415,
  idempotency_mismatch: 422,
  too_many_requests: 429,
  internal: 500,
  bad_gateway: 502,
  unavailable: 503,
} as const;

export type ErrorCode = keyof typeof statusOf;

/** One error in the input. `path` is dotted: from the body's root, or the parameter's name. */
export interface FieldError {
  path: string;
  message: string;
}

interface AppErrorOptions {
  cause?: unknown;
  fields?: readonly FieldError[];
  /** Seconds after which the client may retry; sent as `Retry-After`. */
  retryAfter?: number;
  /** The error code of the model's provider, for clients that know it. */
  providerCode?: string | undefined;
  /** Headers of the answer. */
  headers?: Record<string, string>;
}

/** The only error that domain code and adapters throw. The client gets its message for a 4xx, never for a 5xx. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly fields: readonly FieldError[];
  readonly retryAfter: number | undefined;
  readonly providerCode: string | undefined;
  readonly headers: Record<string, string>;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = "AppError";
    this.code = code;
    this.fields = options.fields ?? [];
    this.retryAfter = options.retryAfter;
    this.providerCode = options.providerCode;
    this.headers = options.headers ?? {};
  }

  get status(): number {
    return statusOf[this.code];
  }
}

/** The error for invalid input. Its message names the first field. */
export function invalidInput(...fields: readonly FieldError[]): AppError {
  const [first] = fields;
  const detail = first ? `${first.path || "body"}: ${first.message}` : "the input is invalid";
  return new AppError("validation_failed", detail, { fields });
}
