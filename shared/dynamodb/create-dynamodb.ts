import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

/** Milliseconds. DynamoDB answers within a few; after a second without a connection, another one is tried. */
const CONNECT_TIMEOUT = 1000;
const REQUEST_TIMEOUT = 5000;

/** Attempts of the SDK at one call, the first included. It retries throttling and timeouts with jitter. */
const MAX_ATTEMPTS = 5;

/** Creates a client. Region, credentials and endpoint come from the SDK's own environment variables. */
export function createDynamoDB(): DynamoDBDocumentClient {
  const client = new DynamoDBClient({
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      throwOnRequestTimeout: true,
      httpsAgent: { maxSockets: 200 },
      httpAgent: { maxSockets: 200 },
    },
  });
  // The logger is off, but its middleware copies every input and output. For a memory search this costs more time than ranking.
  client.middlewareStack.remove("loggerMiddleware");
  return DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
}
