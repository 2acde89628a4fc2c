import type { S3Access } from "./check-request.ts";
import type { Store } from "./object-store.ts";
import type { S3Request, S3Response } from "./request.ts";
import type { Signed } from "./signature.ts";

/** Runs one operation of the S3 API. The request's signature and permissions were checked. Throws S3Error. */
export type Operation = (
  store: Store,
  request: S3Request,
  signed: Signed,
  access: S3Access | undefined,
) => Promise<S3Response>;

/** How a request names an operation. */
export interface Route {
  /** The method, what the path names, and the query parameter that selects the operation: `PUT bucket?versioning`. */
  at: `${string} ${"service" | "bucket" | "object"}${"" | `?${string}`}`;
  /** The name in the S3 API. */
  name: string;
  /** The action in policies, without the `s3:` prefix; null = the operation checks each key itself. @default the name */
  action?: string | null;
  operation: Operation;
  /** Other query parameters that the operation understands. */
  options?: readonly string[];
  /** Whether the request has the header `x-amz-copy-source`. @default false */
  copies?: boolean;
}
