import type { S3Access } from "./access.ts";
import type { S3Request, S3Response } from "./request.ts";
import type { Signed } from "./signature.ts";
import type { Store } from "./store.ts";

/** One operation of the S3 API, on a request whose signature is verified and which the caller may make. Throws S3Error. */
export type Operation = (
  store: Store,
  request: S3Request,
  signed: Signed,
  access: S3Access | undefined,
) => Promise<S3Response>;
