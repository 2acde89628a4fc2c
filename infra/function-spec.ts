import { type OperationId, operations } from "../shared/http/operations.ts";

/** A function: its source file, its trigger and its permissions. */
export interface FunctionSpec {
  /** The source file, relative to the project's root. */
  entry: string;
  /** The name of the handler in that file. @default "handler" */
  handler?: string;
  trigger: Trigger;
  /** DynamoDB actions on the table `conversations`, without the `dynamodb:` prefix. */
  table?: readonly TableAction[];
  /** DynamoDB actions on the table `metrics`, beside those that `metricsActionsOf` adds. */
  metrics?: readonly TableAction[];
  /** DynamoDB actions on the table `audit`, and on its index. */
  audit?: readonly ("Query" | "PutItem")[];
  /** DynamoDB actions on the table `audit-outbox`, beside those that `outboxActionsOf` adds. */
  outbox?: readonly TableAction[];
  /** DynamoDB actions on the table `exports`. */
  exportTable?: readonly TableAction[];
  /** Whether the function hashes users as the lake does. */
  hashesUsers?: true;
  /** Indexes of the table `conversations` that the function queries. */
  indexes?: readonly string[];
  /** Indexes of the table `conversations` that the function reads whole. */
  scans?: readonly string[];
  /** Indexes of the table `metrics` that the function queries. */
  metricIndexes?: readonly string[];
  /** Whether the function searches memories. It may use all vector indexes, because re-embedding switches them at any time. */
  searches?: boolean;
  /** Whether the function calls the embedding model. */
  embeds?: boolean;
  /** `ask`: the function calls chat models, and reads the secret with their key. `plans`: it only reads the plans of users. `providers`: it only names the providers. */
  chat?: "ask" | "plans" | "providers";
  /** Whether the function reads the secret that signs receipts of erasures. */
  privacyKey?: boolean;
  /** Whether the function deletes accounts of the deployment's own user pool. */
  accounts?: boolean;
  /** What the function does with dead letters: `look` reads some of them, `erase` deletes those that name a user. */
  deadLetters?: keyof typeof deadLetterActions;
  /** Whether the function serves the page. The option `page=false` leaves it out. */
  page?: boolean;
  /** Whether the function gets the issuer of the tokens, as the authorizer does. */
  issuer?: boolean;
  /** Whether the function streams its answer. */
  streams?: boolean;
  /** S3 actions on objects below `archive/`, without the `s3:` prefix; `ListBucket` is on the bucket itself. */
  archive?: readonly ArchiveAction[];
  /** S3 actions on objects below `files/`. */
  files?: readonly ArchiveAction[];
  /** S3 actions on objects below `exports/`. */
  exports?: readonly ArchiveAction[];
  /** S3 actions on objects below `lake/`. A function that reads or writes them also reads the key of the users' hashes. */
  lake?: readonly ArchiveAction[];
  /** S3 actions on objects below `reports/`. */
  reports?: readonly ("GetObject" | "PutObject" | "ListBucket")[];
  /** Whether X-Ray traces the function. @default true */
  traced?: false;
  /** Megabytes. Lambda gives CPU in proportion. @default 512 */
  memory?: number;
  /** Seconds. @default 29, the REST API's own limit */
  timeout?: number;
}

export type Trigger = HttpTrigger | StreamTrigger | ScheduleTrigger | { kind: "authorizer" } | { kind: "invoke" };

interface HttpTrigger {
  kind: "http";
  operation: OperationId;
}

interface ScheduleTrigger {
  kind: "schedule";
  expression: string;
}

export interface StreamTrigger {
  kind: "stream";
  /** The table whose stream it is. @default conversations */
  table?: "auditOutbox" | "exportTable";
  /** Event filter patterns. Lambda delivers a record that matches any of them. */
  filters: readonly object[];
  batchSize: number;
  /** Seconds to wait for a full batch. */
  window: number;
  retries: number;
  /** Batches of a shard that run at the same time. */
  parallelism: number;
}

/** The properties of a function beside its source file and its trigger. */
export type Grants = Omit<FunctionSpec, "entry" | "trigger">;

type TableAction =
  | "GetItem"
  | "PutItem"
  | "UpdateItem"
  | "DeleteItem"
  | "Query"
  | "BatchGetItem"
  | "BatchWriteItem"
  | "ConditionCheckItem"
  | "DescribeTable";

type ArchiveAction =
  | "GetObject"
  | "GetObjectVersion"
  | "PutObject"
  | "DeleteObject"
  | "DeleteObjectVersion"
  | "AbortMultipartUpload"
  | BucketAction;

/** SQS actions on the dead-letter queue, without the `sqs:` prefix. */
export const deadLetterActions = {
  look: ["GetQueueAttributes", "ReceiveMessage"],
  erase: ["GetQueueAttributes", "ReceiveMessage", "ChangeMessageVisibility", "DeleteMessage"],
} as const;

/** S3 actions on the bucket. A policy allows them for a prefix. */
const bucketActions = ["ListBucket", "ListBucketVersions", "ListBucketMultipartUploads"] as const;
type BucketAction = (typeof bucketActions)[number];

/** DynamoDB actions on the table `metrics`: functions write metrics of requests and of calls to the embedding model. */
export function metricsActionsOf({ trigger, embeds, metrics = [] }: FunctionSpec): readonly TableAction[] {
  const actions = new Set<TableAction>();
  if (trigger.kind === "http" || embeds) actions.add("PutItem");
  // Calls to the embedding model, and searches, write several metrics at a time.
  if (embeds) actions.add("BatchWriteItem");
  return [...actions.union(new Set(metrics))];
}

export function isBucketAction(action: string): boolean {
  return (bucketActions as readonly string[]).includes(action);
}

/** Whether a function reads the key of the users' hashes in the lake. */
export function readsLakeKey({ lake = [], hashesUsers }: FunctionSpec): boolean {
  return hashesUsers === true || lake.some((action) => !isBucketAction(action));
}

/** DynamoDB actions on the table `audit-outbox`: functions that know their user leave notes. */
export function outboxActionsOf({ trigger, outbox = [] }: FunctionSpec): readonly TableAction[] {
  const leavesNotes = trigger.kind === "http" && operations[trigger.operation].access !== "public";
  return leavesNotes ? ["PutItem", ...outbox] : outbox;
}

const batches = { batchSize: 100, window: 1, retries: 10 };

type Spec<T extends Trigger> = FunctionSpec & { trigger: T };

export function on<T extends Trigger>(entry: string, trigger: T, grants: Grants): Spec<T> {
  return { entry, trigger, ...grants };
}

/** A function behind a route of the API. */
export function http(entry: string, operation: OperationId, grants: Grants = {}): Spec<HttpTrigger> {
  return on(entry, { kind: "http", operation }, grants);
}

/** A function that the stream of the table `conversations` invokes, with the records that match a filter. */
export function onStream(
  entry: string,
  filters: readonly object[],
  parallelism: number,
  grants: Grants,
): Spec<StreamTrigger> {
  return on(entry, { kind: "stream", filters, parallelism, ...batches }, { memory: 1024, timeout: 300, ...grants });
}

/** A function that runs on a schedule. */
export function scheduled(entry: string, expression: string, grants: Grants): Spec<ScheduleTrigger> {
  return on(entry, { kind: "schedule", expression }, grants);
}
