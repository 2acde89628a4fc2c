/** HTTP statuses of error codes. Every other code has the status 400. */
const statuses: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  BucketAlreadyOwnedByYou: 409,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidRange: 416,
  MissingContentLength: 411,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchUpload: 404,
  NoSuchVersion: 404,
  NotImplemented: 501,
  NotModified: 304,
  PreconditionFailed: 412,
  RequestTimeTooSkewed: 403,
  SignatureDoesNotMatch: 403,
};

/** The error that an S3 client receives when its request fails. */
export class S3Error extends Error {
  /** A code of the S3 API. */
  readonly code: string;
  readonly status: number;
  /** Headers of the response. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = "S3Error";
    this.code = code;
    this.status = statuses[code] ?? 400;
    this.headers = headers;
  }
}

/** The answer to a request that this server does not support: status 501, with the name of the unsupported feature. */
export function notImplemented(feature: string): S3Error {
  return new S3Error("NotImplemented", `The local S3 server does not implement ${feature}.`);
}
