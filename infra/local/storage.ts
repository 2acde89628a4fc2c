import { REGION } from "./assembly/physical.ts";
import type { Properties, Resolver } from "./assembly/resolve.ts";
import type { ExpiringTable } from "./dynamodb/complete-expired.ts";
import { ensureTable } from "./dynamodb/ensure-table.ts";
import type { CorsRule } from "./s3/cors.ts";
import type { LifecycleRule } from "./s3/lifecycle.ts";
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
  const tables = resolver.resources("AWS::DynamoDB::Table");
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
    ...buckets.map((resource) => {
      const name = resolver.ref(resource);
      resolver.learn(resource, { RegionalDomainName: `${name}.s3.${REGION}.amazonaws.com` });
      return s3.ensureBucket(name, lifecycleRules(resource.properties), corsRules(resource.properties));
    }),
  ]);
  return expiring;
}

function corsRules({ CorsConfiguration }: Properties): CorsRule[] {
  return ((CorsConfiguration ?? {}) as { CorsRules?: CorsRule[] }).CorsRules ?? [];
}

/** The lifecycle rules of a bucket. Only those that delete objects and uploads have an effect here. */
function lifecycleRules({ LifecycleConfiguration }: Properties): LifecycleRule[] {
  const { Rules = [] } = (LifecycleConfiguration ?? {}) as { Rules?: CloudFormationRule[] };
  return Rules.filter(({ Status }) => Status !== "Disabled").map((rule) => ({
    prefix: rule.Prefix ?? "",
    expireAfter: rule.ExpirationInDays,
    abortUploadsAfter: rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation,
  }));
}

interface CloudFormationRule {
  Status?: "Enabled" | "Disabled";
  Prefix?: string;
  ExpirationInDays?: number;
  AbortIncompleteMultipartUpload?: { DaysAfterInitiation?: number };
}
