import { describe, expect, test } from "vitest";
import { dynamodbPermissions } from "../../../../infra/local/iam/permissions/dynamodb.ts";
import { s3Permissions } from "../../../../infra/local/iam/permissions/s3.ts";

const arn = "arn:aws:dynamodb:us-east-1:000000000000:table/t";
const partitionKeys = new Map([["t", { table: "pk", indexes: new Map([["by_user", "user"]]) }]]);
const key = (pk: string) => ({ pk: { S: pk }, sk: { S: "x" } });
const put = (pk: string) => ({ PutRequest: { Item: key(pk) } });

describe("a call of DynamoDB needs", () => {
  const TableName = "t";
  test.each<[string, object, string[]]>([
    ["GetItem", { TableName, Key: key("a") }, [`GetItem ${arn} a`]],
    ["PutItem", { TableName: arn, Item: key("a") }, [`PutItem ${arn} a`]],
    ["UpdateItem", { TableName, Key: key("a") }, [`UpdateItem ${arn} a`]],
    ["Scan", { TableName }, [`Scan ${arn}`]],
    [
      "Query",
      { TableName, KeyConditionExpression: "pk = :pk AND sk > :sk", ExpressionAttributeValues: { ":pk": { S: "a" } } },
      [`Query ${arn} a`],
    ],
    [
      "Query",
      {
        TableName,
        IndexName: "by_user",
        KeyConditionExpression: "#u=:u",
        ExpressionAttributeNames: { "#u": "user" },
        ExpressionAttributeValues: { ":u": { S: "ann" } },
      },
      [`Query ${arn}/index/by_user ann`],
    ],
    [
      "Query",
      { TableName, KeyConditions: { pk: { ComparisonOperator: "EQ", AttributeValueList: [{ S: "a" }] } } },
      [`Query ${arn} a`],
    ],
    ["SearchVectors", { TableName, IndexName: "v" }, [`SearchVectors ${arn}/index/v`]],
    ["BatchGetItem", { RequestItems: { t: { Keys: [key("a"), key("b")] } } }, [`BatchGetItem ${arn} a,b`]],
    [
      "BatchWriteItem",
      { RequestItems: { t: [put("a")], u: [put("b")] } },
      [`BatchWriteItem ${arn} a`, `BatchWriteItem ${arn.slice(0, -1)}u`],
    ],
    [
      "TransactWriteItems",
      {
        TransactItems: [
          { Put: { TableName, Item: key("a") } },
          { Update: { TableName, Key: key("b") } },
          { Delete: { TableName, Key: key("c") } },
          { ConditionCheck: { TableName, Key: key("d") } },
        ],
      },
      [`PutItem ${arn} a`, `UpdateItem ${arn} b`, `DeleteItem ${arn} c`, `ConditionCheckItem ${arn} d`],
    ],
    ["TransactGetItems", { TransactItems: [{ Get: { TableName, Key: key("a") } }] }, [`GetItem ${arn} a`]],
    ["DescribeStream", { StreamArn: `${arn}/stream/1` }, [`DescribeStream ${arn}/stream/1`]],
    ["GetRecords", { ShardIterator: "opaque" }, ["GetRecords *"]],
    ["ListStreams", {}, ["ListStreams *"]],
  ])("%s %j", (operation, request, expected) => {
    const needed = dynamodbPermissions(operation, request, partitionKeys) ?? [];
    expect(
      needed.map(({ action, resource, keys }) => {
        const leading = keys?.("dynamodb:leadingkeys");
        return [action.replace("dynamodb:", ""), resource, ...(leading?.length ? [leading.join(",")] : [])].join(" ");
      }),
    ).toEqual(expected);
  });

  test("what is not known when the operation is not", () => {
    expect(dynamodbPermissions("ExecuteStatement", {}, partitionKeys)).toBeUndefined();
  });
});

describe("a call of S3 needs", () => {
  const of = (operation: string, query: Record<string, string> = {}, headers: Record<string, string> = {}) =>
    s3Permissions({
      operation,
      bucket: "b",
      key: "k",
      query: new Map(Object.entries(query)),
      header: (name) => headers[name],
    })?.map(({ action, resource }) => `${action} ${resource.replace("arn:aws:s3:::", "")}`);
  test.each<[string, Parameters<typeof of>, string[]]>([
    ["to read", ["GetObject"], ["s3:GetObject b/k"]],
    ["to look", ["HeadObject"], ["s3:GetObject b/k"]],
    ["to read a version", ["GetObject", { versionId: "1" }], ["s3:GetObjectVersion b/k"]],
    ["to write", ["PutObject"], ["s3:PutObject b/k"]],
    ["to write where there is nothing", ["PutObject", {}, { "if-none-match": "*" }], ["s3:PutObject b/k"]],
    ["to replace what it knows", ["PutObject", {}, { "if-match": "e" }], ["s3:PutObject b/k", "s3:GetObject b/k"]],
    [
      "to write with tags",
      ["PutObject", {}, { "x-amz-tagging": "a=b" }],
      ["s3:PutObject b/k", "s3:PutObjectTagging b/k"],
    ],
    ["to begin an upload", ["CreateMultipartUpload"], ["s3:PutObject b/k"]],
    ["to upload a part", ["UploadPart"], ["s3:PutObject b/k"]],
    [
      "to end an upload",
      ["CompleteMultipartUpload", {}, { "if-match": "e" }],
      ["s3:PutObject b/k", "s3:GetObject b/k"],
    ],
    ["to give up an upload", ["AbortMultipartUpload"], ["s3:AbortMultipartUpload b/k"]],
    ["to delete", ["DeleteObject"], ["s3:DeleteObject b/k"]],
    ["to delete what it knows", ["DeleteObject", {}, { "if-match": "e" }], ["s3:DeleteObject b/k", "s3:GetObject b/k"]],
    ["to delete a version", ["DeleteObject", { versionId: "1" }], ["s3:DeleteObjectVersion b/k"]],
    ["to copy", ["CopyObject", {}, { "x-amz-copy-source": "/c/d%20e" }], ["s3:PutObject b/k", "s3:GetObject c/d e"]],
    ["to list", ["ListObjectsV2"], ["s3:ListBucket b"]],
    ["to list versions", ["ListObjectVersions"], ["s3:ListBucketVersions b"]],
    ["to look at a bucket", ["HeadBucket"], ["s3:ListBucket b"]],
    ["to list buckets", ["ListBuckets"], ["s3:ListAllMyBuckets *"]],
  ])("%s", (_name, call, expected) => {
    expect(of(...call)).toEqual(expected);
  });

  test("what is not known when the operation is not", () => {
    expect(of("SelectObjectContent")).toBeUndefined();
  });
});
