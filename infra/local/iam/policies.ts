import { ACCOUNT, functionArn, functionName } from "../assembly/physical.ts";
import type { Resolver, Resource } from "../assembly/resolve.ts";
import { compilePolicy, type Statement } from "./statement.ts";

/** A role of the template with the policies of its identity. */
export interface Role {
  name: string;
  arn: string;
  statements: Statement[];
  /** Whether this AWS service may assume the role. */
  trusts(service: string): boolean;
}

/** The policies that AWS manages and the local host knows, by name. */
const awsManaged: Record<string, object> = {
  AWSLambdaBasicExecutionRole: {
    Effect: "Allow",
    Action: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
    Resource: "*",
  },
};

interface RoleProperties {
  AssumeRolePolicyDocument?: unknown;
  ManagedPolicyArns?: string[];
  PermissionsBoundary?: unknown;
  Policies?: { PolicyName?: string; PolicyDocument?: unknown }[];
}

/**
 * Returns a function that finds a role of the template by its ARN, with its inline, attached and managed policies.
 * Throws an Error that names a feature that the local host does not understand.
 */
export function readRoles(resolver: Resolver): (arn: string) => Role | undefined {
  const roles = resolver.resources("AWS::IAM::Role");
  const policies = resolver.resources("AWS::IAM::Policy");
  return (arn) => {
    const role = roles.find((each) => resolver.attribute(each, "Arn") === arn);
    return role && readRole(role, resolver.ref(role), arn, policies);
  };
}

function readRole(role: Resource, name: string, arn: string, policies: readonly Resource[]): Role {
  const { ManagedPolicyArns = [], Policies = [], ...properties } = role.properties as RoleProperties;
  if (properties.PermissionsBoundary !== undefined) {
    throw new Error(`${role.logicalId}: the local host does not understand the property PermissionsBoundary`);
  }
  const attached = policies
    .filter((policy) => (policy.properties.Roles as string[]).includes(name))
    .map(({ logicalId, properties: { PolicyDocument } }) => ({ PolicyName: logicalId, PolicyDocument }));
  const managed = ManagedPolicyArns.map((policy) => {
    const Statement = awsManaged[policy.split("/").at(-1) ?? ""];
    if (!Statement) throw new Error(`${role.logicalId}: the local host does not know the policy ${policy}`);
    return { PolicyName: policy, PolicyDocument: { Statement } };
  });
  const trust = compilePolicy(properties.AssumeRolePolicyDocument, `${role.logicalId}, trust policy`);
  const trustKeys = (key: string) => (key === "aws:sourceaccount" ? ACCOUNT : undefined);
  return {
    name,
    arn,
    statements: [...Policies, ...attached, ...managed].flatMap(({ PolicyName = "", PolicyDocument }) =>
      compilePolicy(PolicyDocument, `${role.logicalId}, policy ${PolicyName}`),
    ),
    trusts: (service) =>
      trust.some(
        (statement) =>
          statement.effect === "Allow" &&
          statement.names({ kind: "service", service }) &&
          statement.match({ action: "sts:AssumeRole", resource: arn }, trustKeys),
      ),
  };
}

/**
 * Reads the policies of the template's buckets, queues and functions. Returns a function that finds the statements for the
 * resource of a permission, by its ARN. Throws an Error that names a feature that the local host does not understand.
 */
export function readResourcePolicies(resolver: Resolver): (resource: string) => readonly Statement[] {
  const policies = new Map<string, Statement[]>();
  const add = (arn: string, document: unknown, { logicalId }: Resource) => {
    policies.set(arn, [...(policies.get(arn) ?? []), ...compilePolicy(document, logicalId)]);
  };
  const arnOf = (type: string, ref: unknown) => {
    const owner = resolver.resources(type).find((resource) => resolver.ref(resource) === ref);
    return owner ? resolver.attribute(owner, "Arn") : "";
  };
  for (const policy of resolver.resources("AWS::S3::BucketPolicy")) {
    add(arnOf("AWS::S3::Bucket", policy.properties.Bucket), policy.properties.PolicyDocument, policy);
  }
  for (const policy of resolver.resources("AWS::SQS::QueuePolicy")) {
    for (const url of policy.properties.Queues as string[]) {
      add(arnOf("AWS::SQS::Queue", url), policy.properties.PolicyDocument, policy);
    }
  }
  for (const permission of resolver.resources("AWS::Lambda::Permission")) {
    const statement = permissionStatement(permission);
    add(statement.Resource, { Statement: statement }, permission);
  }
  // The policy of a bucket applies to its objects.
  return (resource) => policies.get(resource.replace(/^(arn:aws:s3:::[^/]+).*$/s, "$1")) ?? [];
}

interface PermissionProperties {
  Action: string;
  FunctionName: string;
  Principal: string;
  SourceArn?: string;
}

/** The policy statement that Lambda creates for a permission to invoke a function. */
function permissionStatement({ logicalId, properties }: Resource) {
  const { Action, FunctionName, Principal, SourceArn, ...rest } = properties as unknown as PermissionProperties;
  const [unknown] = Object.keys(rest);
  if (unknown) throw new Error(`${logicalId}: the local host does not understand the property ${unknown}`);
  return {
    Sid: logicalId,
    Effect: "Allow",
    Principal: { Service: Principal },
    Action,
    Resource: functionArn(functionName(FunctionName)),
    ...(SourceArn && { Condition: { ArnLike: { "AWS:SourceArn": SourceArn } } }),
  };
}
