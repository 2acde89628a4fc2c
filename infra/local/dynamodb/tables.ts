import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";

export interface EnsuredTable {
  tableName: string;
  arn: string;
  streamArn?: string;
}

/** `properties`: resolved CloudFormation properties of AWS::DynamoDB::Table or ::GlobalTable, `TableName` included. */
export async function ensureTable(
  _client: DynamoDBClient,
  _properties: Record<string, unknown>,
  _warn: (line: string) => void,
): Promise<EnsuredTable> {
  throw new Error("being written");
}
