import * as z from "zod";

/** Properties without effect on one machine: they protect, bill or replicate. */
export const notLocal: ReadonlySet<string> = new Set([
  "BillingMode",
  "ContributorInsightsSpecification",
  "DeletionProtectionEnabled",
  "KinesisStreamSpecification",
  "MultiRegionConsistency",
  "OnDemandThroughput",
  "PointInTimeRecoverySpecification",
  "ProvisionedThroughput",
  "ReadOnDemandThroughputSettings",
  "ReadProvisionedThroughputSettings",
  "Replicas",
  "SSESpecification",
  "TableClass",
  "Tags",
  "WarmThroughput",
  "WriteOnDemandThroughputSettings",
  "WriteProvisionedThroughputSettings",
]);

const key = z.object({ AttributeName: z.string(), KeyType: z.enum(["HASH", "RANGE"]) });
const projection = z.object({
  ProjectionType: z.enum(["ALL", "KEYS_ONLY", "INCLUDE"]).default("ALL"),
  NonKeyAttributes: z.array(z.string()).optional(),
});
const index = z.object({ IndexName: z.string(), KeySchema: z.array(key), Projection: projection });
/** CloudFormation sometimes writes numbers and booleans as strings. */
const flag = z.union([z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")]);

const vectorIndex = z.object({
  IndexName: z.string(),
  VectorAttribute: z.object({ AttributeName: z.string() }),
  SearchSchema: z
    .array(z.object({ AttributeName: z.string(), SearchSchemaElementType: z.enum(["HASH", "INLINE_FILTER"]) }))
    .optional(),
  Projection: projection,
  Dimensions: z.coerce.number().int(),
  DistanceFunction: z.enum(["COSINE", "EUCLIDEAN", "DOT_PRODUCT"]),
});

/** The properties that a local table has. Those in `notLocal` are left out. */
const tableProperties = z.object({
  TableName: z.string(),
  KeySchema: z.array(key),
  AttributeDefinitions: z.array(z.object({ AttributeName: z.string(), AttributeType: z.enum(["S", "N", "B"]) })),
  GlobalSecondaryIndexes: z.array(index).default([]),
  LocalSecondaryIndexes: z.array(index).default([]),
  VectorIndexes: z.array(vectorIndex).default([]),
  StreamSpecification: z
    .object({ StreamViewType: z.enum(["NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY"]) })
    .optional(),
  TimeToLiveSpecification: z.object({ AttributeName: z.string(), Enabled: flag }).optional(),
});

export type TableProperties = z.infer<typeof tableProperties>;

/**
 * Reads the resolved properties of an AWS::DynamoDB::Table or ::GlobalTable. Warns about each property that the host does not support.
 * Throws a ZodError when a property does not have its documented shape.
 */
export function readTableProperties(
  properties: Record<string, unknown>,
  warn: (line: string) => void,
): TableProperties {
  const table = tableProperties.parse(properties);
  const name = (at: string) => warn(`Table ${table.TableName}: the local host does not support the property ${at}.`);
  unknownKeys(properties, tableProperties.shape).forEach(name);
  for (const [list, shape] of [
    ["GlobalSecondaryIndexes", index.shape],
    ["LocalSecondaryIndexes", index.shape],
    ["VectorIndexes", vectorIndex.shape],
  ] as const) {
    const entries = z.array(z.record(z.string(), z.unknown())).default([]).parse(properties[list]);
    const indexKeys = new Set(entries.flatMap((entry) => unknownKeys(entry, shape)));
    for (const at of indexKeys) name(`${list}.${at}`);
  }
  return table;
}

function unknownKeys(properties: Record<string, unknown>, shape: object): string[] {
  return Object.keys(properties).filter((at) => !Object.hasOwn(shape, at) && !notLocal.has(at));
}
