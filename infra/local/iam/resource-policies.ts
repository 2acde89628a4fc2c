import { functionArn, functionName } from "../assembly/physical.ts";
import type { Resolver, Resource } from "../assembly/resolve.ts";
import { compilePolicy, type Statement } from "./statement.ts";

/**
 * Reads the policies of the template's buckets, queues, functions, tables and secrets. Returns a function that finds the
 * statements for the resource of a permission, by its ARN. Throws an Error that names a feature that the local host does
 * not understand.
 */
export function readResourcePolicies(resolver: Resolver): (resource: string) => readonly Statement[] {
  const policies = new Map<string, Statement[]>();
  const add = (arn: string, document: unknown, { logicalId }: Resource) => {
    policies.set(arn, [...(policies.get(arn) ?? []), ...compilePolicy(document, logicalId)]);
  };

  const byRef = (type: string) =>
    new Map(resolver.resources(type).map((resource) => [resolver.ref(resource), resolver.attribute(resource, "Arn")]));
  const buckets = byRef("AWS::S3::Bucket");
  for (const policy of resolver.resources("AWS::S3::BucketPolicy")) {
    add(buckets.get(String(policy.properties.Bucket)) ?? "", policy.properties.PolicyDocument, policy);
  }
  const queues = byRef("AWS::SQS::Queue");
  for (const policy of resolver.resources("AWS::SQS::QueuePolicy")) {
    for (const url of policy.properties.Queues as string[]) {
      add(queues.get(url) ?? "", policy.properties.PolicyDocument, policy);
    }
  }
  for (const permission of resolver.resources("AWS::Lambda::Permission")) {
    const statement = permissionStatement(permission);
    add(statement.Resource, { Statement: statement }, permission);
  }
  for (const table of resolver.resources("AWS::DynamoDB::Table")) {
    const { PolicyDocument } = (table.properties.ResourcePolicy ?? {}) as { PolicyDocument?: unknown };
    if (PolicyDocument) add(resolver.attribute(table, "Arn"), PolicyDocument, table);
  }
  for (const policy of resolver.resources("AWS::SecretsManager::ResourcePolicy")) {
    add(String(policy.properties.SecretId), policy.properties.ResourcePolicy, policy);
  }

  return (resource) => policies.get(resource) ?? policies.get(ownerOf(resource)) ?? [];
}

/** The ARN of the resource that has the policy: the bucket of an object, the table of an index. */
function ownerOf(resource: string): string {
  return resource.startsWith("arn:aws:s3:::") || resource.includes(":table/")
    ? resource.replace(/^(arn:[^/]*:table\/[^/]+|arn:aws:s3:::[^/]+).*$/s, "$1")
    : resource;
}

interface PermissionProperties {
  Action: string;
  FunctionName: string;
  Principal: string;
  SourceArn?: string;
  SourceAccount?: string;
}

/** The policy statement that Lambda creates for a permission to invoke a function. */
function permissionStatement({ logicalId, properties }: Resource) {
  const { Action, FunctionName, Principal, SourceArn, SourceAccount, ...rest } =
    properties as unknown as PermissionProperties;
  const [unknown] = Object.keys(rest);
  if (unknown) throw new Error(`${logicalId}: the local host does not understand the property ${unknown}`);
  return {
    Sid: logicalId,
    Effect: "Allow",
    Principal: Principal.endsWith(".amazonaws.com") ? { Service: Principal } : { AWS: Principal },
    Action,
    Resource: functionArn(functionName(FunctionName)),
    Condition: {
      ...(SourceArn && { ArnLike: { "AWS:SourceArn": SourceArn } }),
      ...(SourceAccount && { StringEquals: { "AWS:SourceAccount": SourceAccount } }),
    },
  };
}
