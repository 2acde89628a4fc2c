import { ACCOUNT, REGION } from "../../assembly/physical.ts";
import type { ConditionKeys } from "../condition.ts";
import type { Permission } from "../statement.ts";

/** Attribute names of the partition keys of a table and of its indexes, by the table's name. */
export type PartitionKeys = ReadonlyMap<string, { table: string; indexes: ReadonlyMap<string, string> }>;

/** A request of DynamoDB's JSON protocol, as far as permissions depend on it. */
interface DynamoRequest {
  TableName?: string;
  IndexName?: string;
  StreamArn?: string;
  ShardIterator?: string;
  Key?: Item;
  Item?: Item;
  RequestItems?: Record<string, { Keys?: Item[] } | WriteRequest[]>;
  TransactItems?: Record<string, TransactItem>[];
  KeyConditionExpression?: string;
  ExpressionAttributeNames?: Record<string, string>;
  ExpressionAttributeValues?: Item;
  KeyConditions?: Record<string, { ComparisonOperator?: string; AttributeValueList?: AttributeValue[] }>;
  Select?: string;
  ReturnValues?: string;
}

type AttributeValue = Record<string, unknown>;
type Item = Record<string, AttributeValue>;

interface WriteRequest {
  PutRequest?: { Item?: Item };
  DeleteRequest?: { Key?: Item };
}

interface TransactItem {
  TableName?: string;
  Key?: Item;
  Item?: Item;
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

/** The actions that the parts of a transaction need. The transaction itself is no action. */
const transactActions: Record<string, string> = {
  Put: "PutItem",
  Update: "UpdateItem",
  Delete: "DeleteItem",
  ConditionCheck: "ConditionCheckItem",
  Get: "GetItem",
};

/**
 * The permissions that a call of DynamoDB, or of its streams, needs. Undefined for an operation that the local host does not know.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
 */
export function dynamodbPermissions(
  operation: string,
  body: unknown,
  partitionKeys: PartitionKeys,
): Permission[] | undefined {
  const request = body as DynamoRequest;
  const { TableName = "", IndexName, TransactItems = [], RequestItems = {} } = request;
  const action = `dynamodb:${operation}`;
  if (onTable.has(operation)) {
    const resource = IndexName === undefined ? tableArn(TableName) : `${tableArn(TableName)}/index/${IndexName}`;
    return [{ action, resource, keys: keysOf(request, () => leadingKeys(request, partitionKeys)) }];
  }
  switch (operation) {
    case "TransactWriteItems":
    case "TransactGetItems":
      return TransactItems.flatMap((parts) =>
        Object.entries(parts).map(([part, item]) => ({
          action: `dynamodb:${transactActions[part] ?? part}`,
          resource: tableArn(item.TableName ?? ""),
          keys: keysOf(item, () => leadingKeys(item, partitionKeys), operation),
        })),
      );
    case "BatchGetItem":
    case "BatchWriteItem":
      return Object.entries(RequestItems).map(([name, items]) => ({
        action,
        resource: tableArn(name),
        keys: keysOf(request, () =>
          batchKeys(items).flatMap((item) => keyValue(item, partitionKeys.get(tableOf(name))?.table)),
        ),
      }));
    case "DescribeStream":
    case "GetShardIterator":
      return [{ action, resource: request.StreamArn ?? "*" }];
    case "GetRecords":
      return [{ action, resource: streamOf(request.ShardIterator ?? "") }];
    case "ListStreams":
    case "ListTables":
      return [{ action, resource: "*" }];
    default:
      return undefined;
  }
}

/** A table may be named by its ARN, too. */
function tableArn(name: string): string {
  return name.startsWith("arn:") ? name : `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${name}`;
}

const tableOf = (name: string): string => name.replace(/^arn:.*:table\//, "");

/** The embedded engine's iterators tell their stream. An iterator that does not is held against `*` only. */
function streamOf(iterator: string): string {
  try {
    const { streamArn, stream_arn } = JSON.parse(Buffer.from(iterator, "base64").toString());
    return String(streamArn ?? stream_arn ?? "*");
  } catch {
    return "*";
  }
}

function keysOf(
  { Select, ReturnValues }: DynamoRequest,
  leading: () => string[] | undefined,
  enclosing?: string,
): ConditionKeys {
  return (key) => {
    if (key === "dynamodb:leadingkeys") return leading();
    const value = {
      "dynamodb:select": Select,
      "dynamodb:returnvalues": ReturnValues,
      "dynamodb:enclosingoperation": enclosing,
    }[key];
    return value === undefined ? undefined : [value];
  };
}

/** The partition keys that a request names. A Scan names none. */
function leadingKeys(request: DynamoRequest, partitionKeys: PartitionKeys): string[] | undefined {
  const table = partitionKeys.get(tableOf(request.TableName ?? ""));
  const name = request.IndexName === undefined ? table?.table : table?.indexes.get(request.IndexName);
  const item = request.Key ?? request.Item ?? queriedKey(request);
  return item && keyValue(item, name);
}

/** The attributes that a Query holds against one value each. */
function queriedKey(request: DynamoRequest): Item | undefined {
  const {
    KeyConditionExpression,
    KeyConditions,
    ExpressionAttributeNames = {},
    ExpressionAttributeValues = {},
  } = request;
  if (KeyConditionExpression !== undefined) {
    const equalities = KeyConditionExpression.matchAll(/([#\w.-]+)\s*=\s*(:\w+)/g);
    return Object.fromEntries(
      [...equalities].map(([, name = "", value = ""]) => [
        ExpressionAttributeNames[name] ?? name,
        ExpressionAttributeValues[value] ?? {},
      ]),
    );
  }
  if (KeyConditions === undefined) return undefined;
  const equal = Object.entries(KeyConditions).filter(([, { ComparisonOperator }]) => ComparisonOperator === "EQ");
  return Object.fromEntries(equal.map(([name, { AttributeValueList = [] }]) => [name, AttributeValueList[0] ?? {}]));
}

function batchKeys(items: { Keys?: Item[] } | WriteRequest[]): Item[] {
  if (!Array.isArray(items)) return items.Keys ?? [];
  return items.map(({ PutRequest, DeleteRequest }) => PutRequest?.Item ?? DeleteRequest?.Key ?? {});
}

function keyValue(item: Item, name: string | undefined): string[] {
  const [value] = Object.values(item[name ?? ""] ?? {});
  return value === undefined ? [] : [String(value)];
}
