import type { Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { type FunctionSpec, metricsActionsOf } from "../../../infra/function-spec.ts";
import { type FunctionName, functions } from "../../../infra/functions.ts";
import { operations } from "../../../shared/http/operations.ts";
import { expectPart } from "../../support/generated-part.ts";
import { type Resource, resourcesOf, synthesize } from "../synthesize.ts";

const sessionLifecycle = "BatchGetItem BatchWriteItem DeleteItem GetItem PutItem Query UpdateItem";
const archiveList = "s3 ListBucket on bucket where s3:prefix, if there is one, is archive/*";
const lakeList = "s3 ListBucket on bucket where s3:prefix, if there is one, is lake/*";
const reportsList = "s3 ListBucket on bucket where s3:prefix, if there is one, is reports/*";
const archiveRead = ["s3 GetObject on archive/*", archiveList];
const archiveWrite = ["s3 AbortMultipartUpload DeleteObject GetObject PutObject on archive/*", archiveList];
const filesList = "s3 ListBucket on bucket where s3:prefix, if there is one, is files/*";
const filesPurge = "s3 DeleteObject on files/*";
const idempotency = "PutItem UpdateItem";
const privacyKey = "secretsmanager GetSecretValue on the key of receipts";
/** Actions to write metrics of several calls or sessions at a time. */
const severalMetrics = "dynamodb BatchWriteItem PutItem on metrics";
const folding = "dynamodb BatchWriteItem GetItem Query UpdateItem on metrics";

const lakeKey = "secretsmanager GetSecretValue on the key of users' hashes";

/** The permissions of every function: its own logs and, with one exception, traces. */
const everyone = ["logs CreateLogStream PutLogEvents on its log group"];
const tracing = (name: string) => (name === "jobs-erase" ? [] : ["xray PutTelemetryRecords PutTraceSegments on *"]);

/** Every function, and exactly its other permissions. */
const expected: Record<string, string[]> = {
  "auth-authorizer": [],
  "system-health": ["dynamodb PutItem Query on table", archiveList],
  "system-state": [
    "dynamodb Query on table",
    "dynamodb Query on index sessions_due",
    "dynamodb PutItem Query UpdateItem on metrics",
    "sqs GetQueueAttributes ReceiveMessage on dead letters",
  ],
  "system-openapi": [],
  "page-get": [],
  "page-asset": [],
  "sessions-create": ["dynamodb ConditionCheckItem DeleteItem GetItem PutItem UpdateItem on table"],
  "sessions-list": ["dynamodb Query on index sessions_by_activity"],
  "sessions-get": ["dynamodb GetItem Query on table"],
  "sessions-patch": [`dynamodb ${sessionLifecycle} on table`, ...archiveWrite, filesPurge],
  "sessions-delete": [
    "dynamodb BatchGetItem BatchWriteItem ConditionCheckItem DeleteItem GetItem PutItem Query UpdateItem on table",
    "s3 DeleteObject GetObject on archive/*",
    archiveList,
    filesPurge,
  ],
  "sessions-reset": [
    "dynamodb BatchGetItem BatchWriteItem ConditionCheckItem DeleteItem GetItem PutItem Query UpdateItem on table",
    ...archiveWrite,
    filesPurge,
  ],
  "sessions-restore": [`dynamodb ${sessionLifecycle} on table`, ...archiveWrite, filesPurge],
  "messages-delete": [
    "dynamodb BatchGetItem BatchWriteItem DeleteItem GetItem PutItem Query UpdateItem on table",
    ...archiveWrite,
    filesPurge,
  ],
  "messages-list": ["dynamodb GetItem Query on table", ...archiveRead],
  "messages-append": [
    `dynamodb ${sessionLifecycle} on table`,
    ...archiveWrite,
    "s3 DeleteObject GetObject PutObject on files/*",
    filesList,
  ],
  "chat-turn": [
    "dynamodb BatchGetItem BatchWriteItem ConditionCheckItem DeleteItem GetItem PutItem Query UpdateItem on table",
    "dynamodb SearchVectors on index memories_a, index memories_b_200",
    severalMetrics,
    ...archiveWrite,
    "s3 DeleteObject GetObject PutObject on files/*",
    filesList,
  ],
  "chat-completions": [
    "dynamodb BatchGetItem BatchWriteItem ConditionCheckItem DeleteItem GetItem PutItem Query UpdateItem on table",
    "dynamodb SearchVectors on index memories_a, index memories_b_200",
    severalMetrics,
    ...archiveWrite,
    "s3 DeleteObject GetObject PutObject on files/*",
    filesList,
  ],
  "chat-stream": ["dynamodb GetItem PutItem Query on table", ...archiveRead],
  "chat-follow": ["dynamodb GetItem PutItem Query on table", ...archiveRead],
  "chat-ui-send": [
    "dynamodb BatchGetItem BatchWriteItem ConditionCheckItem DeleteItem GetItem PutItem Query UpdateItem on table",
    "dynamodb SearchVectors on index memories_a, index memories_b_200",
    severalMetrics,
    ...archiveWrite,
    "s3 DeleteObject GetObject PutObject on files/*",
    filesList,
  ],
  "chat-ui-follow": ["dynamodb GetItem PutItem Query on table", ...archiveRead],
  "chat-ui-read": ["dynamodb BatchGetItem GetItem Query on table", ...archiveRead, "s3 GetObject on files/*"],
  "chat-stop": [`dynamodb GetItem ${idempotency} on table`],
  "chat-models": [],
  "chat-usage": ["dynamodb GetItem on table"],
  "memories-search": [
    `dynamodb BatchGetItem GetItem ${idempotency} on table`,
    "dynamodb Query on index memories_by_time",
    "dynamodb SearchVectors on index memories_a, index memories_b_200",
    severalMetrics,
  ],
  "memories-list": ["dynamodb BatchGetItem GetItem on table", "dynamodb Query on index memories_by_time"],
  "memories-delete": ["dynamodb BatchGetItem GetItem PutItem on table", "dynamodb Query on index memories_by_time"],
  "memories-delete-all": [
    "dynamodb BatchWriteItem GetItem PutItem on table",
    "dynamodb Query on index memories_by_time",
  ],
  "files-create": [`dynamodb BatchGetItem GetItem ${idempotency} on table`, "s3 PutObject on files/*"],
  "files-list": ["dynamodb GetItem Query UpdateItem on table", "s3 GetObject on files/*", filesList],
  "files-get": ["dynamodb BatchGetItem GetItem UpdateItem on table", "s3 GetObject on files/*", filesList],
  "files-delete": ["dynamodb BatchGetItem GetItem UpdateItem on table", "s3 DeleteObject on files/*"],
  "admin-cleanup-sessions": [`dynamodb BatchGetItem ${idempotency} on table`, "dynamodb Query on index sessions_due"],
  "jobs-archive": [
    severalMetrics,
    "dynamodb BatchGetItem BatchWriteItem ConditionCheckItem DeleteItem GetItem PutItem Query UpdateItem on table",
    "dynamodb Query on index sessions_by_activity",
    ...archiveWrite,
    filesPurge,
    "dynamodb DescribeStream GetRecords GetShardIterator on stream",
    "dynamodb ListStreams on *",
    "sqs SendMessage on dead letters",
  ],
  "jobs-remember": [
    "dynamodb BatchGetItem ConditionCheckItem DeleteItem GetItem PutItem Query on table",
    severalMetrics,
    ...archiveRead,
    "dynamodb DescribeStream GetRecords GetShardIterator on stream",
    "dynamodb ListStreams on *",
    "sqs SendMessage on dead letters",
  ],
  "jobs-lake": [
    "dynamodb UpdateItem on metrics",
    "dynamodb DeleteItem Query UpdateItem on table",
    ...archiveRead,
    "s3 AbortMultipartUpload DeleteObject GetObject PutObject on lake/*",
    lakeList,
    "secretsmanager GetSecretValue on the key of users' hashes",
    "sqs SendMessage on dead letters",
  ],
  "jobs-reembed": [
    "dynamodb BatchGetItem ConditionCheckItem GetItem PutItem Query UpdateItem on table",
    "dynamodb Query on index sessions_due",
    severalMetrics,
    ...archiveRead,
  ],
  "jobs-reconcile": [
    "dynamodb UpdateItem on metrics",
    "dynamodb BatchGetItem BatchWriteItem ConditionCheckItem DeleteItem GetItem PutItem Query UpdateItem on table",
    "dynamodb Query on index sessions_due",
    ...archiveWrite,
    filesPurge,
    "sqs SendMessage on dead letters",
  ],
  "reports-get": ["dynamodb GetItem PutItem Query on metrics", "s3 GetObject on reports/*", reportsList],
  "jobs-report": [
    "dynamodb GetItem Query UpdateItem on metrics",
    "s3 GetObject PutObject on reports/*",
    reportsList,
    "sqs SendMessage on dead letters",
  ],
  "exports-create": [`dynamodb GetItem ${idempotency} on table`, "dynamodb GetItem PutItem on exports"],
  "exports-get": ["dynamodb GetItem on exports", "s3 GetObject on exports/*"],
  "settings-get": ["dynamodb GetItem on table"],
  "settings-patch": ["dynamodb GetItem UpdateItem on table"],
  "audit-list": ["dynamodb Query on audit, index audit_by_subject", lakeKey],
  "jobs-audit": [
    "dynamodb PutItem on audit",
    "dynamodb BatchWriteItem Query on outbox",
    lakeKey,
    "dynamodb DescribeStream GetRecords GetShardIterator on the outbox's stream",
    "dynamodb ListStreams on *",
    "sqs SendMessage on dead letters",
  ],
  "jobs-build-export": [
    "dynamodb BatchGetItem GetItem Query UpdateItem on table",
    "dynamodb Query on index memories_by_time, index sessions_by_activity, index sessions_due",
    "dynamodb GetItem UpdateItem on exports",
    "dynamodb Query on index events_by_user",
    ...archiveRead,
    "s3 GetObject on files/*",
    filesList,
    "s3 AbortMultipartUpload DeleteObject GetObject PutObject on exports/*",
    "s3 ListBucket on bucket where s3:prefix, if there is one, is exports/*",
    "dynamodb DescribeStream GetRecords GetShardIterator on the exports' stream",
    "dynamodb ListStreams on *",
    "sqs SendMessage on dead letters",
  ],
  "jobs-export": [
    "dynamodb Query on table",
    "dynamodb GetItem Query UpdateItem on metrics",
    "dynamodb Query on audit",
    "s3 AbortMultipartUpload GetObject PutObject on lake/*",
    lakeList,
    "secretsmanager GetSecretValue on the key of users' hashes",
    "sqs SendMessage on dead letters",
  ],
  "jobs-measure": [
    "dynamodb DescribeTable on table",
    "dynamodb Scan on index sessions_by_activity",
    "dynamodb BatchWriteItem DescribeTable UpdateItem on metrics",
    "dynamodb DescribeTable on exports",
    archiveList,
    "s3 ListBucket on bucket where s3:prefix, if there is one, is exports/*",
    filesList,
    lakeList,
    reportsList,
    "sqs SendMessage on dead letters",
  ],
  "erasures-create": [`dynamodb GetItem ${idempotency} on table`, privacyKey],
  "erasures-get": ["dynamodb GetItem on table", privacyKey],
  "jobs-erase": [
    "dynamodb BatchGetItem BatchWriteItem ConditionCheckItem DeleteItem GetItem PutItem Query UpdateItem on table",
    "dynamodb Query on index memories_by_time, index sessions_by_activity, index sessions_due",
    "dynamodb BatchWriteItem UpdateItem on metrics",
    "dynamodb BatchWriteItem Query on exports",
    "dynamodb Query on index events_by_user",
    ...["archive/*", "files/*", "exports/*"].flatMap((keys) => [
      `s3 AbortMultipartUpload DeleteObjectVersion on ${keys}`,
      `s3 ListBucketMultipartUploads ListBucketVersions on bucket where s3:prefix, if there is one, is ${keys}`,
    ]),
    "s3 AbortMultipartUpload DeleteObject DeleteObjectVersion GetObject GetObjectVersion PutObject on lake/*",
    "s3 ListBucket ListBucketVersions on bucket where s3:prefix, if there is one, is lake/*",
    "secretsmanager GetSecretValue on the key of users' hashes",
    privacyKey,
    "sqs SendMessage on dead letters",
    "sqs ChangeMessageVisibility DeleteMessage GetQueueAttributes ReceiveMessage on dead letters",
    "cognito-idp AdminDeleteUser AdminGetUser on the user pool",
  ],
  "jobs-housekeeping": [
    folding,
    "dynamodb BatchGetItem GetItem on table",
    archiveList,
    "sqs SendMessage on dead letters",
  ],
  "mcp-call": [
    "dynamodb BatchGetItem BatchWriteItem ConditionCheckItem DeleteItem GetItem PutItem Query UpdateItem on table",
    "dynamodb Query on index memories_by_time, index sessions_by_activity",
    "dynamodb SearchVectors on index memories_a, index memories_b_200",
    severalMetrics,
    ...archiveWrite,
    "s3 DeleteObject GetObject PutObject on files/*",
    filesList,
  ],
  "mcp-protected-resource": [],
  "mcp-authorization-server": [],
  "mcp-register": [],
  "events-create": [`dynamodb GetItem ${idempotency} on table`, severalMetrics],
  "metrics-get": ["dynamodb GetItem PutItem Query on metrics"],
  "jobs-fold-hourly": [folding, "sqs SendMessage on dead letters"],
  "jobs-fold-daily": [folding, "sqs SendMessage on dead letters"],
  "jobs-fold-monthly": [folding, "sqs SendMessage on dead letters"],
  "jobs-watch": [
    "dynamodb Query on table",
    "dynamodb Query on index sessions_due",
    "dynamodb GetItem Query UpdateItem on metrics",
    "sqs SendMessage on dead letters",
  ],
};

const templates = synthesize({ stage: "prod" });

describe("the audit", () => {
  /** Who may do what with audit records and notes. Nobody may change or delete a record. */
  const grants = () =>
    Object.keys(functions).flatMap((name) =>
      permissionsOf(name)
        .filter((line) => /on (audit|outbox)/.test(line))
        .map((line) => `${name}: ${line.replace("dynamodb ", "")}`),
    );

  it("has records that one function writes and no function may change or delete", () => {
    expect(grants().filter((line) => line.includes("on audit"))).toEqual([
      "audit-list: Query on audit, index audit_by_subject",
      "jobs-audit: PutItem on audit",
      "jobs-export: Query on audit",
    ]);
  });

  it("has exactly the grants that docs/privacy.md lists (UPDATE_README=1 npm test writes them)", () => {
    const rows = grants().flatMap((line) => {
      const [, name, actions, what] = /^(\S+): (.*) on (audit|outbox)/.exec(line) ?? [];
      // Every function of the API leaves notes.
      if (what === "outbox" && actions === "PutItem") return [];
      return [`| ${what === "audit" ? "audit records" : "notes"} | \`${name}\` | ${actions} |`];
    });
    const all = [...rows, "| notes | every function of the API that knows its user | PutItem |"];
    expectPart("privacy.md", "audit", ["| what | function | actions |", "|---|---|---|", ...all, ""].join("\n"));
  });

  it("has tables that no other role names, directly or by a wildcard", () => {
    const others = Object.values(templates).flatMap((template) =>
      ["AWS::IAM::Policy", "AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::DynamoDB::Table"]
        .flatMap((type) => Object.values(resourcesOf(template, type)))
        .filter((resource) => !(nameOf(resource) in functions))
        .filter(({ Properties }) => /dynamodb:|Audit/.test(JSON.stringify(Properties))),
    );
    expect(others.map(({ Metadata }) => Metadata["aws:cdk:path"])).toEqual([]);
    const resourcePolicies = Object.values(resourcesOf(templates.data, "AWS::DynamoDB::Table")).filter(
      ({ Properties }) => Properties.ResourcePolicy,
    );
    expect(resourcePolicies).toEqual([]);
  });

  it("has notes that only its job may read and delete", () => {
    expect(grants().filter((line) => line.includes("on outbox") && !line.endsWith(": PutItem on outbox"))).toEqual([
      "jobs-audit: BatchWriteItem Query on outbox",
    ]);
  });
});

describe("each function", () => {
  it("is in the table of this test", () => {
    expect(Object.keys(functions).sort()).toEqual(Object.keys(expected).sort());
  });

  it.each(Object.keys(expected))("has the expected permissions and no others: %s", (name) => {
    expect(permissionsOf(name)).toEqual(
      [...everyone, ...tracing(name), ...expected[name]!, ...recording(name), ...leavingNotes(name)].sort(),
    );
  });

  it("has its own role, without an AWS-managed policy", () => {
    const roles = functionResources("AWS::IAM::Role");
    expect(Object.keys(roles).sort()).toEqual(Object.keys(functions).sort());
    for (const role of Object.values(roles)) {
      expect(role.Properties.ManagedPolicyArns).toBeUndefined();
      expect(role.Properties.Policies).toBeUndefined();
      expect(role.Properties.AssumeRolePolicyDocument.Statement).toEqual([
        { Action: "sts:AssumeRole", Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" } },
      ]);
    }
  });

  it("may use the data's key if it accesses data, and no other function may", () => {
    const withKey = synthesize({ stage: "prod", cmk: "true" });
    const users = [withKey.api, withKey.jobs].flatMap((template) =>
      Object.values(resourcesOf(template, "AWS::IAM::Policy"))
        .filter((policy) => JSON.stringify(policy).includes("kms:Decrypt"))
        .map(nameOf),
    );
    const needing = (Object.entries(functions) as [string, FunctionSpec][])
      .filter(([, spec]) => spec.table || spec.indexes || spec.archive || spec.audit || metricsActionsOf(spec).length)
      .map(([name]) => name);
    expect(users.sort()).toEqual(needing.sort());
  });
});

/** A function of the API may put metrics of its requests, unless its row has other permissions on metrics. */
function recording(name: string): string[] {
  const ofApi = functions[name as FunctionName].trigger.kind === "http";
  return ofApi && !expected[name]!.some((line) => line.endsWith("on metrics")) ? ["dynamodb PutItem on metrics"] : [];
}

/** A function that knows its user may leave notes of audited requests. */
function leavingNotes(name: string): string[] {
  const { trigger } = functions[name as FunctionName];
  const isKnown = trigger.kind === "http" && operations[trigger.operation].access !== "public";
  return isKnown ? ["dynamodb PutItem on outbox"] : [];
}

function permissionsOf(name: string): string[] {
  const policy = functionResources("AWS::IAM::Policy")[name];
  return (policy!.Properties.PolicyDocument.Statement as Statement[]).map(describeStatement).sort();
}

interface Statement {
  Effect: string;
  Action: string | string[];
  Resource: unknown;
  Condition?: { StringLikeIfExists: Record<string, string> };
}

function describeStatement({ Effect, Action, Resource, Condition }: Statement): string {
  expect(Effect).toBe("Allow");
  const actions = [Action].flat().map((action) => action.split(":"));
  const services = new Set(actions.map(([service]) => service));
  const condition = Object.entries(Condition?.StringLikeIfExists ?? {}).map(
    ([key, value]) => ` where ${key}, if there is one, is ${value}`,
  );
  const verbs = actions.map(([, verb]) => verb).sort();
  return `${[...services].join("+")} ${verbs.join(" ")} on ${[Resource].flat().map(describeResource).join(", ")}${condition.join("")}`;
}

function describeResource(resource: unknown): string {
  const text = JSON.stringify(resource);
  const index = /index\/(\w+)"/.exec(text)?.[1];
  if (resource === "*") return "*";
  if (index) return `index ${index}`;
  if (/Archive\w+"\},"\/archive\/\*"/.test(text)) return "archive/*";
  if (/Archive\w+"\},"\/files\/\*"/.test(text)) return "files/*";
  if (/Archive\w+"\},"\/exports\/\*"/.test(text)) return "exports/*";
  if (/Archive\w+"\},"\/reports\/\*"/.test(text)) return "reports/*";
  if (/Archive\w+"\},"\/lake\/\*"/.test(text)) return "lake/*";
  if (/^\{"Fn::ImportValue":"[^"]*LakeKey\w+"\}$/.test(text)) return "the key of users' hashes";
  if (/^\{"Fn::ImportValue":"[^"]*PrivacyKey\w+"\}$/.test(text)) return "the key of receipts";
  if (/^\{"Fn::ImportValue":"[^"]*Archive\w+"\}$/.test(text)) return "bucket";
  if (/^\{"Fn::ImportValue":"[^"]*ConversationsBC\w+StreamArn\w+"\}$/.test(text)) return "stream";
  if (/^\{"Fn::ImportValue":"[^"]*AuditOutbox\w+StreamArn\w+"\}$/.test(text)) return "the outbox's stream";
  if (/^\{"Fn::ImportValue":"[^"]*AuditOutbox\w+Arn\w+"\}$/.test(text)) return "outbox";
  if (/^\{"Fn::ImportValue":"[^"]*AttExports\w+StreamArn\w+"\}$/.test(text)) return "the exports' stream";
  if (/^\{"Fn::ImportValue":"[^"]*AttExports\w+Arn\w+"\}$/.test(text)) return "exports";
  if (/^\{"Fn::ImportValue":"[^"]*Audit\w+Arn\w+"\}$/.test(text)) return "audit";
  if (/^\{"Fn::ImportValue":"[^"]*Metrics\w+Arn\w+"\}$/.test(text)) return "metrics";
  if (/^\{"Fn::ImportValue":"[^"]*Conversations\w+Arn\w+"\}$/.test(text)) return "table";
  if (/^\{"Fn::GetAtt":\["\w+Logs\w+","Arn"\]\}$/.test(text)) return "its log group";
  if (/^\{"Fn::ImportValue":"[^"]*DeadLetters\w+Arn\w+"\}$/.test(text)) return "dead letters";
  if (/^\{"Fn::ImportValue":"[^"]*IdentityUsers\w+Arn\w+"\}$/.test(text)) return "the user pool";
  if (/^\{"Fn::GetAtt":\["DeadLetters\w+","Arn"\]\}$/.test(text)) return "dead letters";
  return text;
}

function functionResources(type: string): Record<string, Resource> {
  const all = [templates.api, templates.jobs].flatMap((template: Template) =>
    Object.values(resourcesOf(template, type)),
  );
  return Object.fromEntries(all.filter((resource) => nameOf(resource) in functions).map((r) => [nameOf(r), r]));
}

function nameOf({ Metadata }: Resource): string {
  return Metadata["aws:cdk:path"].split("/")[1] ?? "";
}
