import {
  BucketAlreadyOwnedByYou,
  CreateBucketCommand,
  type LifecycleRule,
  PutBucketLifecycleConfigurationCommand,
  PutBucketVersioningCommand,
  type S3Client,
  type TransitionStorageClass,
} from "@aws-sdk/client-s3";
import type { Properties, Resolver, Resource } from "./assembly/resolve.ts";
import type { ExpiringTable } from "./dynamodb/delete-expired.ts";
import { ensureTable } from "./dynamodb/ensure-table.ts";
import type { Services } from "./services.ts";

/**
 * Creates or updates the template's tables, buckets, queues and secrets, and gives the resolver their attributes.
 * Resolves with the tables that have TTL.
 */
export async function ensureStorage(
  resolver: Resolver,
  { dynamodb, vectors, s3, sqs, secrets }: Pick<Services, "dynamodb" | "vectors" | "s3" | "sqs" | "secrets">,
  warn: (text: string) => void,
): Promise<ExpiringTable[]> {
  for (const resource of resolver.resources("AWS::SQS::Queue")) {
    const name = resolver.ref(resource);
    resolver.learn(resource, { Ref: sqs.ensureQueue(name), QueueName: name });
  }
  for (const resource of resolver.resources("AWS::SecretsManager::Secret")) {
    if (resource.properties.GenerateSecretString) secrets.ensureSecret(resolver.ref(resource).split(":").at(-1) ?? "");
  }
  const tables = resolver.resources("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable");
  const buckets = resolver.resources("AWS::S3::Bucket");
  const expiring: ExpiringTable[] = [];
  await Promise.all([
    ...tables.map(async (resource) => {
      const properties = { ...resource.properties, TableName: resolver.ref(resource) };
      const table = await ensureTable(dynamodb, properties, warn, { vectors });
      const { arn, streamArn } = table;
      resolver.learn(resource, { Arn: arn, ...(streamArn && { StreamArn: streamArn }) });
      if (table.expiring) expiring.push(table.expiring);
    }),
    ...buckets.map((resource) => ensureBucket(s3, resolver.ref(resource), resource, warn)),
  ]);
  return expiring;
}

async function ensureBucket(
  s3: S3Client,
  Bucket: string,
  { properties, logicalId }: Resource,
  warn: (text: string) => void,
): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket })).catch((error: unknown) => {
    if (!(error instanceof BucketAlreadyOwnedByYou)) throw error;
  });
  const { Status } = (properties.VersioningConfiguration ?? {}) as { Status?: "Enabled" | "Suspended" };
  if (Status) await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }));
  const { Rules = [] } = (properties.LifecycleConfiguration ?? {}) as { Rules?: Properties[] };
  if (Rules.length === 0) return;
  const rules = Rules.map((rule) => lifecycleRule(rule, (text) => warn(`bucket ${logicalId}: ${text}`)));
  await s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules: rules } }));
}

interface CloudFormationRule {
  Id?: string;
  Status?: "Enabled" | "Disabled";
  Prefix?: string;
  ExpirationInDays?: number;
  ExpiredObjectDeleteMarker?: boolean;
  NoncurrentVersionExpiration?: { NoncurrentDays?: number; NewerNoncurrentVersions?: number };
  AbortIncompleteMultipartUpload?: { DaysAfterInitiation?: number };
  Transitions?: { StorageClass: TransitionStorageClass; TransitionInDays?: number }[];
}

/** Converts a lifecycle rule from CloudFormation's format to that of the S3 API. */
function lifecycleRule(rule: Properties, warn: (text: string) => void): LifecycleRule {
  const {
    Id,
    Status = "Enabled",
    Prefix = "",
    ExpirationInDays,
    ExpiredObjectDeleteMarker,
    NoncurrentVersionExpiration,
    AbortIncompleteMultipartUpload,
    Transitions,
    ...rest
  } = rule as CloudFormationRule;
  for (const property of Object.keys(rest))
    warn(`the local host does not support the lifecycle property ${property} and ignores it`);
  return {
    ID: Id,
    Status,
    Filter: { Prefix },
    ...(ExpirationInDays !== undefined && { Expiration: { Days: ExpirationInDays } }),
    ...(ExpiredObjectDeleteMarker && { Expiration: { ExpiredObjectDeleteMarker } }),
    ...(NoncurrentVersionExpiration && { NoncurrentVersionExpiration }),
    ...(AbortIncompleteMultipartUpload && { AbortIncompleteMultipartUpload }),
    ...(Transitions && {
      Transitions: Transitions.map(({ StorageClass, TransitionInDays }) => ({ StorageClass, Days: TransitionInDays })),
    }),
  };
}
