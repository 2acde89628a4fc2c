import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

/** Milliseconds; DynamoDB answers in single digits, so a second without an answer means a lost connection. */
const CONNECT_TIMEOUT = 1000;
const REQUEST_TIMEOUT = 5000;

/** Attempts of the SDK at one call, the first included; throttling and timeouts are retried with jitter. */
const MAX_ATTEMPTS = 5;

/** A client whose region, credentials and endpoint come from the SDK's own environment variables. */
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
  // It copies all that comes and goes for a log that nobody keeps, which costs a search of memories more than the ranking does.
  client.middlewareStack.remove("loggerMiddleware");
  return DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
}
