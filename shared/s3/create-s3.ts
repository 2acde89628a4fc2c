import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";

/** Timeouts in milliseconds. A whole archive object may take long, but not its first byte. */
const CONNECT_TIMEOUT = 1000;
const REQUEST_TIMEOUT = 15_000;

const MAX_ATTEMPTS = 5;

/** Creates a client. Its region, credentials and endpoint come from the SDK's own environment variables. */
export function createS3(options: S3ClientConfig = {}): S3Client {
  return new S3Client({
    ...options,
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      throwOnRequestTimeout: true,
    },
  });
}
