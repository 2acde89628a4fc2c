import type { S3Request, S3Response } from "./request.ts";
import type { Signed } from "./signature.ts";
import type { Store } from "./store.ts";

/** One operation of the S3 API, on a request whose signature is verified. Throws S3Error. */
export type Operation = (store: Store, request: S3Request, signed: Signed) => Promise<S3Response>;
