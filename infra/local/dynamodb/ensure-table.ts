import { setTimeout as sleep } from "node:timers/promises";
import {
  CreateTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  ResourceNotFoundException,
  type TableDescription,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
} from "@aws-sdk/client-dynamodb";
import type { ExpiringTable } from "./complete-expired.ts";
import { readTableProperties, type TableProperties } from "./table-properties.ts";

/** Milliseconds between two checks whether a table is ready, and until giving up. */
const POLL = 50;
const READY_TIMEOUT = 60_000;

interface EnsuredTable {
  tableName: string;
  /** With the client's region. Engines write regions of their own into ARNs. */
  arn: string;
  streamArn?: string;
  /** Present when the table has TTL. */
  expiring?: ExpiringTable;
}

/**
 * Creates the table of a template, or updates the existing one: its indexes, stream and TTL.
 * `properties` are the resolved properties of an AWS::DynamoDB::Table or ::GlobalTable, with `TableName`.
 * `vectors` is false when the engine has no vector indexes.
 * Throws an Error when the table exists with another key, because no update can change it.
 */
export async function ensureTable(
  client: DynamoDBClient,
  properties: Record<string, unknown>,
  warn: (line: string) => void,
  { vectors = true }: { vectors?: boolean } = {},
): Promise<EnsuredTable> {
  const read = readTableProperties(properties, warn);
  const wanted = vectors ? read : withoutVectors(read);
  if (!(await describe(client, wanted.TableName))) await client.send(new CreateTableCommand(creation(wanted)));
  const table = await update(client, wanted, warn);
  await ensureTtl(client, wanted);
  await ensureVectorIndexes(client, wanted, table, warn);
  const region = await client.config.region();
  const arn = inRegion(table.TableArn ?? "", region);
  const streamArn = wanted.StreamSpecification && table.LatestStreamArn;
  return {
    tableName: wanted.TableName,
    arn,
    ...(streamArn && { streamArn: inRegion(streamArn, region) }),
    ...expiringOf(wanted),
  };
}

function expiringOf(table: TableProperties): { expiring?: ExpiringTable } {
  const { TableName, AttributeDefinitions, TimeToLiveSpecification } = table;
  if (!TimeToLiveSpecification?.Enabled) return {};
  const keys = keysOf([table]);
  const strings = AttributeDefinitions.filter(({ AttributeType }) => AttributeType === "S");
  const indexKeys = keysOf([...table.GlobalSecondaryIndexes, ...table.LocalSecondaryIndexes]).filter(
    (key) => !keys.includes(key) && strings.some(({ AttributeName }) => AttributeName === key),
  );
  return { expiring: { TableName, keys, indexKeys, ttl: TimeToLiveSpecification.AttributeName } };
}

/** The names of the key attributes of tables or indexes, each once. */
const keysOf = (keyed: readonly Pick<TableProperties, "KeySchema">[]): string[] => [
  ...new Set(keyed.flatMap(({ KeySchema }) => KeySchema.map(({ AttributeName }) => AttributeName))),
];

/** Also leaves out attribute definitions for vector indexes, because engines refuse definitions that no key uses. */
function withoutVectors(table: TableProperties): TableProperties {
  const keys = keysOf([table, ...table.GlobalSecondaryIndexes, ...table.LocalSecondaryIndexes]);
  const AttributeDefinitions = table.AttributeDefinitions.filter(({ AttributeName }) => keys.includes(AttributeName));
  return { ...table, AttributeDefinitions, VectorIndexes: [] };
}

function creation(wanted: TableProperties) {
  const { TableName, KeySchema, AttributeDefinitions, GlobalSecondaryIndexes, LocalSecondaryIndexes } = wanted;
  const { VectorIndexes, StreamSpecification } = wanted;
  return {
    TableName,
    KeySchema,
    AttributeDefinitions,
    BillingMode: "PAY_PER_REQUEST" as const,
    ...(GlobalSecondaryIndexes.length > 0 && { GlobalSecondaryIndexes }),
    ...(LocalSecondaryIndexes.length > 0 && { LocalSecondaryIndexes }),
    ...(VectorIndexes.length > 0 && { VectorIndexes }),
    ...(StreamSpecification && { StreamSpecification: { StreamEnabled: true, ...StreamSpecification } }),
  };
}

/** Makes one change at a time, as DynamoDB requires. */
async function update(
  client: DynamoDBClient,
  wanted: TableProperties,
  warn: (line: string) => void,
): Promise<TableDescription> {
  const { TableName, AttributeDefinitions } = wanted;
  const table = await ready(client, TableName);
  if (!sameKeys(table.KeySchema ?? [], wanted.KeySchema)) {
    throw new Error(`Table ${TableName} exists with another key. Start with --fresh, or with another data directory.`);
  }
  for (const Create of missing(wanted.GlobalSecondaryIndexes, table.GlobalSecondaryIndexes)) {
    const GlobalSecondaryIndexUpdates = [{ Create }];
    await client.send(new UpdateTableCommand({ TableName, AttributeDefinitions, GlobalSecondaryIndexUpdates }));
    await ready(client, TableName);
  }
  for (const { IndexName } of missing(wanted.LocalSecondaryIndexes, table.LocalSecondaryIndexes)) {
    warn(`Table ${TableName}: the local index ${IndexName} cannot be added to the existing table.`);
  }
  // Only without a stream: setting it again would begin a new one.
  if (wanted.StreamSpecification && !table.StreamSpecification?.StreamEnabled) {
    const StreamSpecification = { StreamEnabled: true, ...wanted.StreamSpecification };
    await client.send(new UpdateTableCommand({ TableName, StreamSpecification }));
  }
  warnOfChanges(wanted, table, warn);
  return ready(client, TableName);
}

/**
 * Does not wait until the indexes are filled. Searches fail until then, as on AWS. A changed index is recreated, as by CloudFormation:
 * items keep their vectors, and the index omits vectors of another size.
 */
async function ensureVectorIndexes(
  client: DynamoDBClient,
  wanted: TableProperties,
  table: TableDescription,
  warn: (line: string) => void,
): Promise<void> {
  const { TableName, AttributeDefinitions } = wanted;
  const remove = async (IndexName: string) => {
    await client.send(new UpdateTableCommand({ TableName, VectorIndexUpdates: [{ Delete: { IndexName } }] }));
    await ready(client, TableName, true);
  };
  const existing = (table.VectorIndexes ?? []).map(({ IndexName = "" }) => ({ IndexName }));
  for (const { IndexName } of missing(existing, wanted.VectorIndexes)) {
    warn(`Table ${TableName}: the vector index ${IndexName} is removed, because the template no longer has it.`);
    await ready(client, TableName, true);
    await remove(IndexName);
  }
  for (const Create of wanted.VectorIndexes) {
    const { IndexName } = Create;
    const stored = table.VectorIndexes?.find((index) => index.IndexName === IndexName);
    if (stored && sameVectors(stored, Create)) continue;
    // One at a time: wait for the index before.
    await ready(client, TableName, true);
    if (stored) {
      warn(
        `Table ${TableName}: the vector index ${IndexName} is recreated, for ${vectorsOf(Create)} instead of ${vectorsOf(stored)}. ` +
          "Searches find an item only after it has a new vector: compute new vectors for existing items.",
      );
      await remove(IndexName);
    } else {
      warn(
        `Table ${TableName}: the vector index ${IndexName} is being added. ` +
          "Searches fail until it is filled, for about half a minute.",
      );
    }
    await client.send(new UpdateTableCommand({ TableName, AttributeDefinitions, VectorIndexUpdates: [{ Create }] }));
  }
}

interface Vectors {
  VectorAttribute?: { AttributeName?: string | undefined } | undefined;
  Dimensions?: number | undefined;
  DistanceFunction?: string | undefined;
}

const vectorsOf = ({ VectorAttribute, Dimensions, DistanceFunction }: Vectors): string =>
  `${Dimensions} dimensions of ${VectorAttribute?.AttributeName} by ${DistanceFunction}`;

const sameVectors = (a: Vectors, b: Vectors): boolean => vectorsOf(a) === vectorsOf(b);

function warnOfChanges(wanted: TableProperties, table: TableDescription, warn: (line: string) => void): void {
  for (const { IndexName, KeySchema } of wanted.GlobalSecondaryIndexes) {
    const stored = table.GlobalSecondaryIndexes?.find((index) => index.IndexName === IndexName);
    if (stored && !sameKeys(stored.KeySchema ?? [], KeySchema)) {
      warn(`Table ${wanted.TableName}: the index ${IndexName} exists with another key and is not changed.`);
    }
  }
  const stored = table.StreamSpecification?.StreamViewType;
  const view = wanted.StreamSpecification?.StreamViewType;
  if (stored && view && stored !== view) {
    warn(`Table ${wanted.TableName}: its stream keeps the view type ${stored}, although the template has ${view}.`);
  }
}

async function ensureTtl(client: DynamoDBClient, wanted: TableProperties): Promise<void> {
  const { TableName, TimeToLiveSpecification } = wanted;
  if (!TimeToLiveSpecification) return;
  const { TimeToLiveDescription } = await client.send(new DescribeTimeToLiveCommand({ TableName }));
  const status = TimeToLiveDescription?.TimeToLiveStatus ?? "DISABLED";
  const enabled = status === "ENABLED" || status === "ENABLING";
  const { AttributeName, Enabled } = TimeToLiveSpecification;
  if (enabled === Enabled && (!enabled || TimeToLiveDescription?.AttributeName === AttributeName)) return;
  if (enabled && Enabled) {
    const off = { AttributeName: TimeToLiveDescription?.AttributeName, Enabled: false };
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

async function ready(client: DynamoDBClient, tableName: string, vectors = false): Promise<TableDescription> {
  for (const deadline = performance.now() + READY_TIMEOUT; ; await sleep(POLL)) {
    const table = await describe(client, tableName);
    const indexes = [...(table?.GlobalSecondaryIndexes ?? []), ...((vectors && table?.VectorIndexes) || [])];
    const busy = indexes.some(({ IndexStatus }) => IndexStatus === "CREATING");
    if (table?.TableStatus === "ACTIVE" && !busy) return table;
    if (performance.now() > deadline) throw new Error(`Table ${tableName} did not become active.`);
  }
}

function missing<T extends { IndexName: string }>(wanted: T[], stored: { IndexName?: string | undefined }[] = []): T[] {
  return wanted.filter(({ IndexName }) => !stored.some((index) => index.IndexName === IndexName));
}

interface Key {
  AttributeName?: string | undefined;
  KeyType?: string | undefined;
}

function sameKeys(a: Key[], b: Key[]): boolean {
  const text = (keys: Key[]) =>
    keys
      .map(({ AttributeName, KeyType }) => `${KeyType} ${AttributeName}`)
      .sort()
      .join();
  return text(a) === text(b);
}

function inRegion(arn: string, region: string): string {
  return arn.replace(/^arn:aws:dynamodb:[^:]*:/, `arn:aws:dynamodb:${region}:`);
}
