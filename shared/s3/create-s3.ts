import { S3Client } from "@aws-sdk/client-s3";

/** Milliseconds; a whole archive object may take long, its first byte may not. */
const CONNECT_TIMEOUT = 1000;
const REQUEST_TIMEOUT = 15_000;

const MAX_ATTEMPTS = 5;

/** A client whose region, credentials and endpoint come from the SDK's own environment variables. */
export function createS3(): S3Client {
  return new S3Client({
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      throwOnRequestTimeout: true,
    },
  });
}
