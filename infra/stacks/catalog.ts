import { Aws, CfnOutput, type Stack } from "aws-cdk-lib";
import { CfnNamedQuery, CfnWorkGroup } from "aws-cdk-lib/aws-athena";
import { CfnDatabase, CfnTable } from "aws-cdk-lib/aws-glue";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { LakeContent } from "../../shared/lake/lake-content.ts";
import { type ColumnType, type TableName, tableNames, tables } from "../../shared/lake/tables.ts";
import type { Policy } from "../../shared/retention/periods.ts";
import { DAY } from "../../shared/retention/rule.ts";
import type { Options } from "../stage.ts";
import type { Buckets } from "./buckets.ts";
import { archiveLines, messagesAll } from "./messages-all.ts";
import { namedQueries } from "./named-queries.ts";

/** Maximum bytes that one Athena query scans. They cost $0.05 at $5 per terabyte. */
const MAX_QUERY_BYTES = 10 * 1024 ** 3;

/**
 * The first day of the tables. A query without a condition on the day lists each day in S3 since this one. Queries do not find imported
 * sessions that were created earlier.
 */
const FIRST_DAY = "2020-01-01";

interface CatalogProps {
  options: Options;
  buckets: Buckets;
  key: IKey | undefined;
}

/** Adds the lake to Athena: a database with its tables and its view, a workgroup, and the named queries. */
export function addCatalog(stack: Stack, { options, buckets, key }: CatalogProps): void {
  const { stage } = options;
  const databaseName = `memocha_${stage.name}`;
  const database = new CfnDatabase(stack, "Lake", {
    catalogId: Aws.ACCOUNT_ID,
    databaseInput: { name: databaseName, description: "Memocha: the lake of conversations" },
  });
  database.applyRemovalPolicy(stage.removalPolicy);

  const addTable = (id: string, tableInput: CfnTable.TableInputProperty) => {
    const table = new CfnTable(stack, id, { catalogId: Aws.ACCOUNT_ID, databaseName: database.ref, tableInput });
    table.addDependency(database);
    return table;
  };
  for (const name of tableNames) addTable(tableIds[name], parquetTable(name, buckets, options));
  addTable("LakeArchiveLines", rawTable(buckets));
  addTable("LakeMessagesAll", view(databaseName, options.lakeContent));

  const workgroup = new CfnWorkGroup(stack, "Analysts", {
    name: `memocha-${stage.name}`,
    description: "Memocha: queries on the lake, with a limit on the bytes that one query scans",
    recursiveDeleteOption: !stage.durable,
    workGroupConfiguration: {
      enforceWorkGroupConfiguration: true,
      publishCloudWatchMetricsEnabled: true,
      bytesScannedCutoffPerQuery: MAX_QUERY_BYTES,
      engineVersion: { selectedEngineVersion: "Athena engine version 3" },
      resultConfiguration: {
        outputLocation: buckets.queryResults.s3UrlForObject("results/"),
        expectedBucketOwner: Aws.ACCOUNT_ID,
        encryptionConfiguration: key
          ? { encryptionOption: "SSE_KMS", kmsKey: key.keyArn }
          : { encryptionOption: "SSE_S3" },
      },
    },
  });
  workgroup.applyRemovalPolicy(stage.removalPolicy);

  for (const { name, description, sql } of namedQueries()) {
    const query = new CfnNamedQuery(stack, `Query-${name}`, {
      name: `memocha-${name}`,
      description,
      database: databaseName,
      workGroup: workgroup.ref,
      queryString: sql,
    });
    query.addDependency(database);
  }
  new CfnOutput(stack, "LakeDatabaseName", { value: database.ref });
  new CfnOutput(stack, "AthenaWorkgroupName", { value: workgroup.ref });
  new CfnOutput(stack, "LakeContent", { value: options.lakeContent });
}

/** Construct ids. CloudFormation replaces a table whose id changes. */
const tableIds: Record<TableName, string> = {
  messages: "LakeMessages",
  session_summaries: "LakeSessionSummaries",
  events: "LakeEvents",
  audit: "LakeAudit",
  aggregates: "LakeAggregates",
};

/** Athena's names of types in views. The tables have Hive's names, which are those of the lake. */
const athenaTypes: Record<ColumnType, string> = {
  string: "varchar",
  int: "integer",
  double: "double",
  boolean: "boolean",
  timestamp: "timestamp(3)",
};

const day = {
  name: "dt",
  comment: "the day (UTC) on which the session was created or the event happened, like 2026-11-21",
};

/** Partition projection: Athena computes the partitions from the calendar, so they need not be registered. */
const projection = (location: string, first = FIRST_DAY) => ({
  EXTERNAL: "TRUE",
  "projection.enabled": "true",
  "projection.dt.type": "date",
  "projection.dt.format": "yyyy-MM-dd",
  "projection.dt.interval": "1",
  "projection.dt.interval.unit": "DAYS",
  // One day ahead, because a session's time may be up to 24 hours in the future.
  "projection.dt.range": `${first},NOW+1DAYS`,
  "storage.location.template": `${location}dt=\${dt}/`,
});

function parquetTable(name: TableName, buckets: Buckets, { policy }: Options): CfnTable.TableInputProperty {
  const location = buckets.archive.s3UrlForObject(`lake/${name}/`);
  const { comment, columns } = tables[name];
  return {
    name,
    description: comment,
    tableType: "EXTERNAL_TABLE",
    partitionKeys: [{ ...day, type: "string" }],
    parameters: { ...projection(location, firstDayOf(name, policy)), classification: "parquet" },
    storageDescriptor: {
      location,
      inputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
      outputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
      serdeInfo: { serializationLibrary: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe" },
      columns: columns.map(({ name: column, type, comment: text }) => ({ name: column, type, comment: text })),
    },
  };
}

/**
 * Returns the first day of a table. An event expires in the table, and its lake object after that, because an operator can export the day
 * again until the event expires in the table. Other tables can have old days, because sessions can be archived years after their creation.
 */
function firstDayOf(name: TableName, { retention }: Policy): string {
  if (name !== "events") return FIRST_DAY;
  return `NOW-${Math.ceil((retention.event.seconds + retention.lakeEvents.seconds) / DAY)}DAYS`;
}

/** The lines of the archive, for messages that the lake does not have yet. They are gzipped JSON, so a query reads whole objects. */
function rawTable(buckets: Buckets): CfnTable.TableInputProperty {
  const location = buckets.archive.s3UrlForObject("archive/");
  return {
    name: "archive_lines",
    description:
      "The lines of the archive. The view messages_all reads the messages that the lake does not have yet from them",
    tableType: "EXTERNAL_TABLE",
    partitionKeys: [{ ...day, type: "string" }],
    parameters: { ...projection(location), classification: "json", compressionType: "gzip" },
    storageDescriptor: {
      location,
      inputFormat: "org.apache.hadoop.mapred.TextInputFormat",
      outputFormat: "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
      serdeInfo: { serializationLibrary: "org.openx.data.jsonserde.JsonSerDe" },
      columns: [...archiveLines],
    },
  };
}

/** The view `messages_all`, in the form that Athena writes into the catalog. */
function view(schema: string, content: LakeContent): CfnTable.TableInputProperty {
  const columns = [...tables.messages.columns, { ...day, type: "string" as const }];
  const definition = {
    originalSql: messagesAll(content),
    catalog: "awsdatacatalog",
    schema,
    columns: columns.map(({ name, type }) => ({ name, type: athenaTypes[type] })),
  };
  return {
    name: "messages_all",
    // No description, because Glue keeps it in the parameter `comment`. That must be "Presto View", or Trino reads the view as a table.
    tableType: "VIRTUAL_VIEW",
    parameters: { presto_view: "true", comment: "Presto View" },
    partitionKeys: [],
    viewOriginalText: `/* Presto View: ${Buffer.from(JSON.stringify(definition)).toString("base64")} */`,
    viewExpandedText: "/* Presto View */",
    storageDescriptor: {
      location: "",
      serdeInfo: {},
      columns: columns.map(({ name, type, comment }) => ({ name, type, comment })),
    },
  };
}
