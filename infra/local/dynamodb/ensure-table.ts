import { setTimeout as sleep } from "node:timers/promises";
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  type GlobalSecondaryIndex,
  type KeySchemaElement,
  ResourceNotFoundException,
  type TableDescription,
  type TimeToLiveSpecification,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
  type VectorIndex,
} from "@aws-sdk/client-dynamodb";
import type { ExpiringTable } from "./complete-expired.ts";

/** Milliseconds between two checks whether a table is ready, and until giving up. */
const POLL = 50;
const READY_TIMEOUT = 60_000;

/** The properties of an AWS::DynamoDB::Table that a local table has. CloudFormation names them as DynamoDB's API does. */
interface TableProperties {
  TableName: string;
  KeySchema: KeySchemaElement[];
  AttributeDefinitions: NonNullable<CreateTableCommandInput["AttributeDefinitions"]>;
  GlobalSecondaryIndexes?: GlobalSecondaryIndex[];
  VectorIndexes?: VectorIndex[];
  StreamSpecification?: {
    StreamViewType: NonNullable<CreateTableCommandInput["StreamSpecification"]>["StreamViewType"];
  };
  TimeToLiveSpecification?: TimeToLiveSpecification;
}

interface EnsuredTable {
  /** With the client's region. Engines write regions of their own into ARNs. */
  arn: string;
  streamArn?: string;
  /** Present when the table has TTL. */
  expiring?: ExpiringTable;
}

/**
 * Creates the table of a template, or updates the existing one: its indexes, stream and TTL.
 * `properties` are the resolved properties of an AWS::DynamoDB::Table, with `TableName`.
 * `vectors` is false when the engine has no vector indexes.
 * Throws an Error when the table exists with another key, because no update can change it.
 */
export async function ensureTable(
  client: DynamoDBClient,
  properties: Record<string, unknown>,
  warn: (line: string) => void,
  { vectors = true }: { vectors?: boolean } = {},
): Promise<EnsuredTable> {
  const given = properties as unknown as TableProperties;
  const wanted = vectors ? given : withoutVectors(given);
  if (!(await describe(client, wanted.TableName))) await client.send(new CreateTableCommand(creation(wanted)));
  const table = await addIndexesAndStream(client, wanted, warn);
  await ensureTtl(client, wanted);
  await ensureVectorIndexes(client, wanted, table, warn);
  const region = await client.config.region();
  const inRegion = (arn = "") => arn.replace(/^arn:aws:dynamodb:[^:]*:/, `arn:aws:dynamodb:${region}:`);
  return {
    arn: inRegion(table.TableArn),
    ...(wanted.StreamSpecification && { streamArn: inRegion(table.LatestStreamArn) }),
    ...expiringOf(wanted),
  };
}

function expiringOf(table: TableProperties): { expiring?: ExpiringTable } {
  const { TableName, AttributeDefinitions, TimeToLiveSpecification: ttl } = table;
  if (!ttl?.Enabled) return {};
  const keys = keysOf([table]);
  const strings = AttributeDefinitions.filter(({ AttributeType }) => AttributeType === "S");
  const indexKeys = keysOf(table.GlobalSecondaryIndexes ?? []).filter(
    (key) => !keys.includes(key) && strings.some(({ AttributeName }) => AttributeName === key),
  );
  return { expiring: { TableName, keys, indexKeys, ttl: ttl.AttributeName ?? "" } };
}

/** The names of the key attributes of tables or indexes, each once. */
const keysOf = (keyed: readonly { KeySchema?: KeySchemaElement[] | undefined }[]): string[] => [
  ...new Set(keyed.flatMap(({ KeySchema = [] }) => KeySchema.map(({ AttributeName = "" }) => AttributeName))),
];

/** Removes the vector indexes and the attribute definitions that only they use, because engines refuse definitions that no key uses. */
function withoutVectors(table: TableProperties): TableProperties {
  const keys = keysOf([table, ...(table.GlobalSecondaryIndexes ?? [])]);
  const isKey = ({ AttributeName = "" }) => keys.includes(AttributeName);
  return { ...table, AttributeDefinitions: table.AttributeDefinitions.filter(isKey), VectorIndexes: [] };
}

function creation(wanted: TableProperties): CreateTableCommandInput {
  const { TableName, KeySchema, AttributeDefinitions, GlobalSecondaryIndexes = [], VectorIndexes = [] } = wanted;
  return {
    TableName,
    KeySchema,
    AttributeDefinitions,
    BillingMode: "PAY_PER_REQUEST",
    ...(GlobalSecondaryIndexes.length > 0 && { GlobalSecondaryIndexes }),
    ...(VectorIndexes.length > 0 && { VectorIndexes }),
    ...(wanted.StreamSpecification && { StreamSpecification: { StreamEnabled: true, ...wanted.StreamSpecification } }),
  };
}

/** Adds the indexes and the stream that the table lacks, one change at a time, as DynamoDB requires. */
async function addIndexesAndStream(
  client: DynamoDBClient,
  wanted: TableProperties,
  warn: (line: string) => void,
): Promise<TableDescription> {
  const { TableName, AttributeDefinitions } = wanted;
  const table = await waitUntilActive(client, TableName);
  if (!sameKeys(table, wanted)) {
    throw new Error(`Table ${TableName} exists with another key. Start with --fresh, or with another data directory.`);
  }
  for (const Create of wanted.GlobalSecondaryIndexes ?? []) {
    const stored = findIndex(table.GlobalSecondaryIndexes, Create);
    if (stored && !sameKeys(stored, Create)) {
      warn(`Table ${TableName}: the index ${Create.IndexName} exists with another key and is not changed.`);
    }
    if (stored) continue;
    const GlobalSecondaryIndexUpdates = [{ Create }];
    await client.send(new UpdateTableCommand({ TableName, AttributeDefinitions, GlobalSecondaryIndexUpdates }));
    await waitUntilActive(client, TableName);
  }
  // Do not enable the stream of a table again, because this would start a new stream.
  if (wanted.StreamSpecification && !table.StreamSpecification?.StreamEnabled) {
    const StreamSpecification = { StreamEnabled: true, ...wanted.StreamSpecification };
    await client.send(new UpdateTableCommand({ TableName, StreamSpecification }));
  }
  return waitUntilActive(client, TableName);
}

/**
 * Makes the vector indexes those of the template. A changed index is deleted and created again: items keep their vectors, and the new
 * index omits vectors of another size. It does not wait until an index is filled. Searches fail until then, as on AWS.
 */
async function ensureVectorIndexes(
  client: DynamoDBClient,
  { TableName, AttributeDefinitions, VectorIndexes = [] }: TableProperties,
  table: TableDescription,
  warn: (line: string) => void,
): Promise<void> {
  const remove = async (IndexName: string | undefined) => {
    await waitUntilActive(client, TableName, true);
    await client.send(new UpdateTableCommand({ TableName, VectorIndexUpdates: [{ Delete: { IndexName } }] }));
  };
  for (const stored of table.VectorIndexes ?? []) {
    if (findIndex(VectorIndexes, stored)) continue;
    warn(`Table ${TableName}: the vector index ${stored.IndexName} is removed, because the template no longer has it.`);
    await remove(stored.IndexName);
  }
  for (const Create of VectorIndexes) {
    const stored = findIndex(table.VectorIndexes, Create);
    if (stored && vectorsOf(stored) === vectorsOf(Create)) continue;
    const name = `Table ${TableName}: the vector index ${Create.IndexName}`;
    if (stored) {
      warn(
        `${name} is recreated, for ${vectorsOf(Create)} instead of ${vectorsOf(stored)}. ` +
          "Searches find an item only after it has a new vector: compute new vectors for existing items.",
      );
      await remove(Create.IndexName);
    } else warn(`${name} is being added. Searches fail until it is filled, for about half a minute.`);
    // DynamoDB creates one index at a time: wait until the previous one is ready.
    await waitUntilActive(client, TableName, true);
    await client.send(new UpdateTableCommand({ TableName, AttributeDefinitions, VectorIndexUpdates: [{ Create }] }));
  }
}

const vectorsOf = ({ VectorAttribute, Dimensions, DistanceFunction }: Partial<VectorIndex>): string =>
  `${Dimensions} dimensions of ${VectorAttribute?.AttributeName} by ${DistanceFunction}`;

async function ensureTtl(
  client: DynamoDBClient,
  { TableName, TimeToLiveSpecification }: TableProperties,
): Promise<void> {
  if (!TimeToLiveSpecification) return;
  const { TimeToLiveDescription: stored } = await client.send(new DescribeTimeToLiveCommand({ TableName }));
  const enabled = stored?.TimeToLiveStatus === "ENABLED" || stored?.TimeToLiveStatus === "ENABLING";
  const { AttributeName, Enabled } = TimeToLiveSpecification;
  if (enabled === Enabled && (!enabled || stored?.AttributeName === AttributeName)) return;
  if (enabled && Enabled) {
    const off = { AttributeName: stored?.AttributeName, Enabled: false };
    await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification: off }));
  }
  await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
}

async function describe(client: DynamoDBClient, TableName: string): Promise<TableDescription | undefined> {
  try {
    return (await client.send(new DescribeTableCommand({ TableName }))).Table;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

/** Waits until the table and its indexes are active. Includes vector indexes only if `vectors` is true. */
async function waitUntilActive(client: DynamoDBClient, tableName: string, vectors = false): Promise<TableDescription> {
  for (const deadline = performance.now() + READY_TIMEOUT; ; await sleep(POLL)) {
    const table = await describe(client, tableName);
    const indexes = [...(table?.GlobalSecondaryIndexes ?? []), ...((vectors && table?.VectorIndexes) || [])];
    const busy = indexes.some(({ IndexStatus }) => IndexStatus === "CREATING");
    if (table?.TableStatus === "ACTIVE" && !busy) return table;
    if (performance.now() > deadline)
      throw new Error(`Table ${tableName} did not become active within ${READY_TIMEOUT / 1000} s.`);
  }
}

function findIndex<T extends { IndexName?: string | undefined }>(
  indexes: readonly T[] | undefined,
  { IndexName }: { IndexName?: string | undefined },
): T | undefined {
  return indexes?.find((index) => index.IndexName === IndexName);
}

type Keyed = { KeySchema?: KeySchemaElement[] | undefined };

function sameKeys(a: Keyed, b: Keyed): boolean {
  const text = ({ KeySchema = [] }: Keyed) => KeySchema.map((key) => `${key.KeyType} ${key.AttributeName}`).sort();
  return text(a).join() === text(b).join();
}
