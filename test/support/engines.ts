import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { ensureTable } from "../../infra/local/dynamodb/ensure-table.ts";
import { startDynamo } from "../../infra/local/dynamodb/start-dynamo.ts";
import { startS3 } from "../../infra/local/s3/s3-server.ts";
import {
  audit,
  auditOutbox,
  conversations,
  exportTable,
  metrics,
  type TableSpec,
} from "../../shared/dynamodb/tables.ts";

const credentials = { accessKeyId: "test", secretAccessKey: "secret" };

/** Starts the embedded engines with the project's tables and bucket, all empty. */
export async function startEngines() {
  let clock: () => number = Date.now;
  const directory = mkdtempSync(path.join(tmpdir(), "memocha-test-"));
  const log = () => undefined;
  const [dynamo, s3] = await Promise.all([
    startDynamo({ directory: null, log }),
    startS3({ directory, ...credentials, log, clock: () => clock() }),
  ]);
  // A faked date of this process does not reach the engine, because its binary is linked statically. The SDK would correct the
  // difference as a wrong clock, and repeat every refused call.
  const disableClockSkewCorrection = true;
  const dynamodb = new DynamoDBClient({
    endpoint: dynamo.endpoint,
    region: "us-east-1",
    credentials,
    disableClockSkewCorrection,
  });
  const objects = new S3Client({ endpoint: s3.url, region: "us-east-1", credentials, forcePathStyle: true });
  const [tableName, metricsTable, exportsName, bucket] = ["conversations", "metrics", "exports", "archive"];
  await ensureTable(dynamodb, tablePropertiesOf(tableName, conversations), () => undefined);
  await ensureTable(dynamodb, tablePropertiesOf(metricsTable, metrics), () => undefined);
  await ensureTable(dynamodb, tablePropertiesOf("audit-outbox", auditOutbox), () => undefined);
  await ensureTable(dynamodb, tablePropertiesOf("audit", audit), () => undefined);
  await ensureTable(dynamodb, tablePropertiesOf(exportsName, exportTable), () => undefined);
  await objects.send(new CreateBucketCommand({ Bucket: bucket }));
  return {
    dynamodb: DynamoDBDocumentClient.from(dynamodb, { marshallOptions: { removeUndefinedValues: true } }),
    s3: objects,
    tableName,
    metricsTable,
    exportTable: exportsName,
    bucket,
    endpoints: { dynamodb: dynamo.endpoint, s3: s3.url },
    credentials,
    /** Sets the clock of new objects. @default the machine's */
    setClock(next: () => number): void {
      clock = next;
    },
    async close() {
      dynamodb.destroy();
      objects.destroy();
      await Promise.all([dynamo.close(), s3.close()]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export type Engines = Awaited<ReturnType<typeof startEngines>>;

/** The CloudFormation properties of a table. */
export function tablePropertiesOf(TableName: string, spec: TableSpec): Record<string, unknown> {
  const names = new Set([spec.partitionKey, spec.sortKey]);
  const GlobalSecondaryIndexes = Object.entries(spec.indexes).map(([IndexName, index]) => {
    names.add(index.partitionKey).add(index.sortKey);
    return {
      IndexName,
      KeySchema: keySchema(index),
      Projection: index.nonKeyAttributes
        ? { ProjectionType: "INCLUDE", NonKeyAttributes: [...index.nonKeyAttributes] }
        : { ProjectionType: "KEYS_ONLY" },
    };
  });
  const VectorIndexes = Object.entries(spec.vectorIndexes ?? {}).map(([IndexName, index]) => {
    for (const name of [index.partitionKey, ...index.filters]) names.add(name);
    return {
      IndexName,
      VectorAttribute: { AttributeName: index.vector },
      Dimensions: index.dimensions,
      DistanceFunction: "COSINE",
      SearchSchema: [
        { AttributeName: index.partitionKey, SearchSchemaElementType: "HASH" },
        ...index.filters.map((AttributeName) => ({ AttributeName, SearchSchemaElementType: "INLINE_FILTER" })),
      ],
      Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: [...index.nonKeyAttributes] },
    };
  });
  return {
    TableName,
    BillingMode: "PAY_PER_REQUEST",
    KeySchema: keySchema(spec),
    AttributeDefinitions: [...names].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
    ...(GlobalSecondaryIndexes.length > 0 ? { GlobalSecondaryIndexes } : {}),
    ...(VectorIndexes.length > 0 ? { VectorIndexes } : {}),
    ...(spec.streamed ? { StreamSpecification: { StreamViewType: "NEW_AND_OLD_IMAGES" } } : {}),
    TimeToLiveSpecification: { AttributeName: spec.ttl, Enabled: true },
  };
}

const keySchema = ({ partitionKey, sortKey }: { partitionKey: string; sortKey: string }) => [
  { AttributeName: partitionKey, KeyType: "HASH" },
  { AttributeName: sortKey, KeyType: "RANGE" },
];
