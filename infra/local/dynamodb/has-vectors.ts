import { type DynamoDBClient, DynamoDBServiceException, SearchVectorsCommand } from "@aws-sdk/client-dynamodb";

/** A search of an index that does not exist. */
const PROBE = { TableName: "memocha-probe", IndexName: "memocha-probe", SearchVector: [{ N: "0" }], TopK: 1 };
/** The errors with which engines that have vector indexes answer the probe. */
const EXPECTED_ERRORS = ["ResourceNotFoundException", "ValidationException"];

/**
 * Finds out whether an engine has vector indexes. DynamoDB Local has none: it ignores them in a table's definition and does not know
 * SearchVectors. Throws an Error that names the endpoint when no DynamoDB answers there, or when it refuses the credentials.
 */
export async function hasVectors(client: DynamoDBClient, endpoint: string): Promise<boolean> {
  try {
    await client.send(new SearchVectorsCommand(PROBE));
    return true;
  } catch (error) {
    const { name, message } = error as Error;
    if (EXPECTED_ERRORS.includes(name)) return true;
    const status = error instanceof DynamoDBServiceException ? error.$metadata.httpStatusCode : undefined;
    if (status === undefined)
      throw new Error(`No DynamoDB answers at ${endpoint}: ${message || name}`, { cause: error });
    if (/UnrecognizedClient|InvalidSignature|AccessDenied|MissingAuthentication/.test(name)) {
      throw new Error(`The DynamoDB at ${endpoint} refuses the credentials: ${message}`, { cause: error });
    }
    return false;
  }
}
