import { ACCOUNT, REGION } from "../assembly/physical.ts";
import type { Permission } from "./statement.ts";

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
  "DescribeTable",
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
};

/**
 * The permissions that a call of DynamoDB needs. Undefined for an operation that the local host does not know.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
 */
export function dynamodbPermissions(operation: string, body: unknown): Permission[] | undefined {
  const { TableName = "", IndexName, TransactItems = [], RequestItems = {} } = body as DynamoRequest;
  const action = `dynamodb:${operation}`;
  if (onTable.has(operation)) {
    return [{ action, resource: tableArn(TableName) + (IndexName === undefined ? "" : `/index/${IndexName}`) }];
  }
  if (operation.startsWith("Transact")) {
    return TransactItems.flatMap((parts) =>
      Object.entries(parts).map(([part, item]) => ({
        action: `dynamodb:${transactActions[part] ?? part}`,
        resource: tableArn(item.TableName ?? ""),
      })),
    );
  }
  if (operation === "BatchGetItem" || operation === "BatchWriteItem") {
    return Object.keys(RequestItems).map((name) => ({ action, resource: tableArn(name) }));
  }
  return undefined;
}

/** The permission that a call of SQS needs. Its resource is the queue in the request's URL or name. */
export function sqsPermission(operation: string, input: { QueueUrl?: string; QueueName?: string }): Permission {
  const queue = input.QueueName ?? input.QueueUrl?.split("/").at(-1);
  const resource = queue === undefined ? "*" : `arn:aws:sqs:${REGION}:${ACCOUNT}:${queue}`;
  // SQS writes actions in lower case, also in its errors.
  return { action: `sqs:${operation.toLowerCase()}`, resource };
}

/** The permission that a call of Secrets Manager needs. Functions name secrets by their ARNs. */
export function secretsPermission(operation: string, { SecretId = "" }: { SecretId?: string }): Permission {
  return { action: `secretsmanager:${operation}`, resource: SecretId };
}

/** The permission that a call of a Cognito user pool needs. */
export function userPoolPermission(operation: string, { UserPoolId = "" }: { UserPoolId?: string }): Permission {
  return {
    action: `cognito-idp:${operation}`,
    resource: `arn:aws:cognito-idp:${REGION}:${ACCOUNT}:userpool/${UserPoolId}`,
  };
}

/** The permission that a call of a function needs. */
export function invokePermission(functionArn: string): Permission {
  return { action: "lambda:InvokeFunction", resource: functionArn };
}

function tableArn(name: string): string {
  return `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${name}`;
}
