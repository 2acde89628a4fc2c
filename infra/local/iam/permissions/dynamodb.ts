import { ACCOUNT, REGION } from "../../assembly/physical.ts";
import type { Permission } from "../statement.ts";

/** The parts of a request of DynamoDB's JSON protocol that its permissions depend on. */
interface DynamoRequest {
  TableName?: string;
  IndexName?: string;
  RequestItems?: Record<string, unknown>;
  TransactItems?: Record<string, { TableName?: string }>[];
}

/** Actions on one table, or on one of its indexes when the request names one. */
const onTable = new Set([
  "DeleteItem",
  "DescribeContinuousBackups",
  "DescribeTable",
  "DescribeTimeToLive",
  "GetItem",
  "PutItem",
  "Query",
  "Scan",
  "SearchVectors",
  "UpdateItem",
]);

/** The actions that the parts of a transaction need. There is no action for the transaction itself. */
const transactActions: Record<string, string> = {
  Put: "PutItem",
  Update: "UpdateItem",
  Delete: "DeleteItem",
  ConditionCheck: "ConditionCheckItem",
  Get: "GetItem",
};

/**
 * The permissions that a call of DynamoDB needs. Undefined for an operation that the local host does not know.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
 */
export function dynamodbPermissions(operation: string, body: unknown): Permission[] | undefined {
  const { TableName = "", IndexName, TransactItems = [], RequestItems = {} } = body as DynamoRequest;
  const action = `dynamodb:${operation}`;
  if (onTable.has(operation)) {
    const resource = IndexName === undefined ? tableArn(TableName) : `${tableArn(TableName)}/index/${IndexName}`;
    return [{ action, resource }];
  }
  switch (operation) {
    case "TransactWriteItems":
    case "TransactGetItems":
      return TransactItems.flatMap((parts) =>
        Object.entries(parts).map(([part, item]) => ({
          action: `dynamodb:${transactActions[part] ?? part}`,
          resource: tableArn(item.TableName ?? ""),
        })),
      );
    case "BatchGetItem":
    case "BatchWriteItem":
      return Object.keys(RequestItems).map((name) => ({ action, resource: tableArn(name) }));
    case "ListTables":
      return [{ action, resource: "*" }];
    default:
      return undefined;
  }
}

/** A request may also name a table by its ARN. */
function tableArn(name: string): string {
  return name.startsWith("arn:") ? name : `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${name}`;
}
