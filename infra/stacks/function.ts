import { Duration } from "aws-cdk-lib";
import { Effect, PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, type Code, Function as LambdaFunction, Runtime, Tracing } from "aws-cdk-lib/aws-lambda";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { memoryVectorNames } from "../../shared/dynamodb/tables.ts";
import { retention } from "../../shared/retention/policy.ts";
import { type FunctionName, type FunctionSpec, functions, metricsActionsOf } from "../functions.ts";
import { type Options, vectorIndexesOf } from "../stage.ts";
import type { DataStack } from "./data.ts";
import { environmentOf } from "./environment.ts";
import { acknowledge, wildcardBelow } from "./nag.ts";

/** The keys of archived sessions. */
const ARCHIVED = `${retention.archive.place.object}*`;

/** The keys of the lake's partitions. */
const LAKE = "lake/*";

/** The keys of reports. */
const REPORTS = `${retention.report.place.object}*`;

/** Where the code of a function comes from: bundles when deploying, a dummy in tests. */
export type CodeProvider = (name: FunctionName) => Code;

export interface Runtimes {
  options: Options;
  data: DataStack;
  code: CodeProvider;
}

/** A function of `infra/functions.ts` with its own role and log group, and exactly the permissions listed there. */
export class MemochaFunction extends Construct {
  readonly name: FunctionName;
  readonly lambda: LambdaFunction;
  readonly role: Role;

  constructor(scope: Construct, name: FunctionName, { options, data, code }: Runtimes) {
    super(scope, name);
    const spec: FunctionSpec = functions[name];
    const logGroup = new LogGroup(this, "Logs", {
      retention: options.stage.logRetention,
      removalPolicy: options.stage.removalPolicy,
    });
    this.name = name;
    this.role = new Role(this, "Role", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    this.role.addToPolicy(
      new PolicyStatement({
        sid: "Log",
        actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: [logGroup.logGroupArn],
      }),
    );
    for (const statement of permissionsOf(spec, options, data)) this.role.addToPolicy(statement);
    const modelKey = spec.chat === "ask" || spec.embeds ? options.chat.OPENAI_SECRET_ARN : undefined;
    if (modelKey) {
      this.role.addToPolicy(
        new PolicyStatement({ sid: "ModelKey", actions: ["secretsmanager:GetSecretValue"], resources: [modelKey] }),
      );
    }

    this.lambda = new LambdaFunction(this, "Function", {
      description: `Memocha ${options.stage.name}: ${name}`,
      code: code(name),
      handler: "index.handler",
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: spec.memory ?? 512,
      timeout: Duration.seconds(spec.timeout ?? 29),
      tracing: Tracing.ACTIVE,
      environment: environmentOf(spec, options, data),
      role: this.role,
      logGroup,
    });
    acknowledge(this.role, {
      "IAM5[Resource::*]":
        "X-Ray's PutTraceSegments and PutTelemetryRecords, and ListStreams where a stream wakes the function, know no resources.",
      ...(objectActionsOf(spec).length
        ? {
            [wildcardBelow(data, data.buckets.archive.bucketArn, `/${ARCHIVED}`)]:
              "The archive has one object a session: users and sessions are not known when deploying.",
          }
        : {}),
      ...(spec.reports
        ? {
            [wildcardBelow(data, data.buckets.archive.bucketArn, `/${REPORTS}`)]:
              "There are two objects a month: months are not known when deploying.",
          }
        : {}),
      ...(spec.lake
        ? {
            [wildcardBelow(data, data.buckets.archive.bucketArn, `/${LAKE}`)]:
              "The lake has an object a day and table: days are not known when deploying.",
          }
        : {}),
    });
  }
}

/** The map's table, index and archive actions as policy statements. */
function permissionsOf(
  spec: FunctionSpec,
  options: Options,
  { table, metrics, buckets, key, lakeKey }: DataStack,
): PolicyStatement[] {
  const statements: PolicyStatement[] = [];
  const allow = (sid: string, actions: string[], resources: string[], conditions = {}) =>
    statements.push(new PolicyStatement({ sid, effect: Effect.ALLOW, actions, resources, conditions }));

  if (spec.table?.length) {
    allow(
      "Table",
      spec.table.map((action) => `dynamodb:${action}`),
      [table.tableArn],
    );
  }
  const metricsActions = metricsActionsOf(spec);
  if (metricsActions.length) {
    allow(
      "Metrics",
      metricsActions.map((action) => `dynamodb:${action}`),
      [metrics.tableArn],
    );
  }
  if (spec.indexes?.length) {
    allow(
      "Indexes",
      ["dynamodb:Query"],
      spec.indexes.map((index) => `${table.tableArn}/index/${index}`),
    );
  }
  if (spec.searches) {
    // In a statement of its own: DynamoDB's condition keys do not apply to it.
    allow(
      "Vectors",
      ["dynamodb:SearchVectors"],
      vectorIndexesOf(options).map((vectors) => `${table.tableArn}/index/${memoryVectorNames(vectors).index}`),
    );
  }
  const objectActions = objectActionsOf(spec);
  if (objectActions.length) {
    allow(
      "Archive",
      objectActions.map((action) => `s3:${action}`),
      [buckets.archive.arnForObjects(ARCHIVED)],
    );
  }
  if (spec.archive?.includes("ListBucket")) {
    // HEAD on the bucket, and S3's choice of 404 over 403 for what is not there, name no prefix.
    const condition = { StringLikeIfExists: { "s3:prefix": ARCHIVED } };
    allow("ListArchive", ["s3:ListBucket"], [buckets.archive.bucketArn], condition);
  }
  if (spec.reports?.length) {
    const actions = spec.reports.filter((action) => action !== "ListBucket").map((action) => `s3:${action}`);
    allow("Reports", actions, [buckets.archive.arnForObjects(REPORTS)]);
    const condition = { StringLikeIfExists: { "s3:prefix": REPORTS } };
    allow("ListReports", ["s3:ListBucket"], [buckets.archive.bucketArn], condition);
  }
  if (spec.lake?.length) {
    const actions = spec.lake.filter((action) => action !== "ListBucket").map((action) => `s3:${action}`);
    allow("Lake", actions, [buckets.archive.arnForObjects(LAKE)]);
    const condition = { StringLikeIfExists: { "s3:prefix": LAKE } };
    allow("ListLake", ["s3:ListBucket"], [buckets.archive.bucketArn], condition);
    allow("LakeKey", ["secretsmanager:GetSecretValue"], [lakeKey.secretArn]);
  }
  if (key && statements.length) {
    allow("Key", keyActions, [key.keyArn]);
  }
  return statements;
}

function objectActionsOf({ archive = [] }: FunctionSpec): string[] {
  return archive.filter((action) => action !== "ListBucket");
}

/** What DynamoDB and S3 ask of whoever reads and writes data under a customer-managed key. */
const keyActions = [
  "kms:Decrypt",
  "kms:DescribeKey",
  "kms:Encrypt",
  "kms:GenerateDataKey",
  "kms:ReEncryptFrom",
  "kms:ReEncryptTo",
];
