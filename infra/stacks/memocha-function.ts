import { Duration } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, type Code, Function as LambdaFunction, Runtime, Tracing } from "aws-cdk-lib/aws-lambda";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { AUDIT_BY_SUBJECT, memoryVectorNames } from "../../shared/dynamodb/tables.ts";
import { retention } from "../../shared/retention/policy.ts";
import {
  deadLetterActions,
  type FunctionSpec,
  isBucketAction,
  metricsActionsOf,
  outboxActionsOf,
  readsLakeKey,
} from "../function-spec.ts";
import { type FunctionName, functions } from "../functions.ts";
import { type Options, vectorIndexesOf } from "../stage.ts";
import type { DataStack } from "./data.ts";
import { environmentOf } from "./environment.ts";
import { acknowledge, wildcardBelow } from "./nag.ts";

/** Returns the code of a function: its bundle in a deployment, a dummy in tests. */
export type CodeProvider = (name: FunctionName) => Code;

export interface Runtimes {
  options: Options;
  data: DataStack;
  code: CodeProvider;
}

/** Groups of objects in the archive's bucket, and why cdk-nag's finding about their wildcard does not apply. */
const objectGroups = (
  [
    ["archive", retention.archive.place.object, "The archive has one object per session, and sessions are"],
    ["files", retention.file.place.object, "Users upload files at any time, so their keys are"],
    ["exports", retention.export.place.object, "Users ask for exports at any time, so their keys are"],
    ["reports", retention.report.place.object, "There are two objects per month, and months are"],
    ["lake", "lake/", "The lake has objects per day and table, and days are"],
  ] as const
).map(([spec, prefix, reason]) => ({
  sid: spec.charAt(0).toUpperCase() + spec.slice(1),
  spec,
  keys: `${prefix}*`,
  reason: `${reason} not known at deployment.`,
}));

/** A function of `infra/functions.ts` with its own role and log group, and exactly the permissions of its spec. */
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

    this.lambda = new LambdaFunction(this, "Function", {
      description: `Memocha ${options.stage.name}: ${name}`,
      code: code(name),
      handler: `index.${spec.handler ?? "handler"}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: spec.memory ?? 512,
      timeout: Duration.seconds(spec.timeout ?? 29),
      tracing: spec.traced === false ? Tracing.DISABLED : Tracing.ACTIVE,
      environment: environmentOf(spec, options, data),
      role: this.role,
      logGroup,
    });
    if (spec.traced !== false) {
      acknowledge(this.role, {
        "IAM5[Resource::*]":
          "PutTraceSegments and PutTelemetryRecords of X-Ray, and ListStreams of stream jobs, have no resources.",
      });
    }
    for (const group of objectGroups) {
      if (!objectActions(spec[group.spec]).length) continue;
      const finding = wildcardBelow(data, data.buckets.archive.bucketArn, `/${group.keys}`);
      acknowledge(this.role, { [finding]: group.reason });
    }
  }

  /** Lets the function use the dead-letter queue, if its spec says so. */
  useDeadLetters({ queueArn, queueUrl }: IQueue): void {
    const { deadLetters }: FunctionSpec = functions[this.name];
    if (!deadLetters) return;
    this.lambda.addEnvironment("DEAD_LETTERS_URL", queueUrl);
    const actions = deadLetterActions[deadLetters].map((action) => `sqs:${action}`);
    this.role.addToPolicy(new PolicyStatement({ sid: "DeadLetters", actions, resources: [queueArn] }));
  }
}

/** The policy statements of a function. */
function permissionsOf(spec: FunctionSpec, options: Options, data: DataStack): PolicyStatement[] {
  const { table, buckets, lakeKey } = data;
  const statements: PolicyStatement[] = [];
  const allow = (sid: string, actions: readonly string[], resources: string[], conditions = {}) => {
    if (actions.length === 0) return;
    statements.push(new PolicyStatement({ sid, actions: [...actions], resources, conditions }));
  };
  const tableActions = (actions: readonly string[]) => actions.map((action) => `dynamodb:${action}`);
  const indexArns = (names: readonly string[]) => names.map((name) => `${table.tableArn}/index/${name}`);

  allow("Table", tableActions(spec.table ?? []), [table.tableArn]);
  allow("Metrics", tableActions(metricsActionsOf(spec)), [data.metrics.tableArn]);
  if (spec.indexes?.length) allow("Indexes", ["dynamodb:Query"], indexArns(spec.indexes));
  if (spec.scans?.length) allow("Scans", ["dynamodb:Scan"], indexArns(spec.scans));
  allow("AuditOutbox", tableActions(outboxActionsOf(spec)), [data.auditOutbox.tableArn]);
  allow("ExportTable", tableActions(spec.exportTable ?? []), [data.exportTable.tableArn]);
  if (spec.audit) {
    // Only the HTTP operation for admins searches for records about one user.
    const indexes = spec.trigger.kind === "http" ? [`${data.audit.tableArn}/index/${AUDIT_BY_SUBJECT}`] : [];
    allow("Audit", tableActions(spec.audit), [data.audit.tableArn, ...indexes]);
  }
  if (spec.metricIndexes?.length) {
    const arns = spec.metricIndexes.map((name) => `${data.metrics.tableArn}/index/${name}`);
    allow("MetricIndexes", ["dynamodb:Query"], arns);
  }
  if (spec.searches) {
    // A separate statement, because DynamoDB's condition keys do not apply to this action.
    const names = vectorIndexesOf(options).map((vectors) => memoryVectorNames(vectors).index);
    allow("Vectors", ["dynamodb:SearchVectors"], indexArns(names));
  }
  for (const group of objectGroups) {
    const actions: readonly string[] = spec[group.spec] ?? [];
    allow(group.sid, objectActions(actions), [buckets.archive.arnForObjects(group.keys)]);
    const listing = actions.filter(isBucketAction).map((action) => `s3:${action}`);
    // IfExists, because neither HEAD on the bucket nor S3's decision between 404 and 403 has a prefix.
    const conditions = { StringLikeIfExists: { "s3:prefix": group.keys } };
    allow(`List${group.sid}`, listing, [buckets.archive.bucketArn], conditions);
  }
  if (readsLakeKey(spec)) allow("LakeKey", ["secretsmanager:GetSecretValue"], [lakeKey.secretArn]);
  if (spec.privacyKey) allow("PrivacyKey", ["secretsmanager:GetSecretValue"], [data.privacyKey.secretArn]);
  if (spec.accounts && data.identity) {
    allow("Accounts", ["cognito-idp:AdminGetUser", "cognito-idp:AdminDeleteUser"], [data.identity.pool.userPoolArn]);
  }
  if (data.key && statements.length) allow("Key", KEY_ACTIONS, [data.key.keyArn]);
  const modelKey = spec.chat === "ask" || spec.embeds ? options.chat.OPENAI_SECRET_ARN : undefined;
  if (modelKey) allow("ModelKey", ["secretsmanager:GetSecretValue"], [modelKey]);
  return statements;
}

function objectActions(actions: readonly string[] = []): string[] {
  return actions.filter((action) => !isBucketAction(action)).map((action) => `s3:${action}`);
}

/** Actions that DynamoDB and S3 need to read and write data under a customer-managed key. */
const KEY_ACTIONS = [
  "kms:Decrypt",
  "kms:DescribeKey",
  "kms:Encrypt",
  "kms:GenerateDataKey",
  "kms:ReEncryptFrom",
  "kms:ReEncryptTo",
];
