import { ACCOUNT } from "../assembly/physical.ts";
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

/** The policies that AWS manages and the local host knows, by name. They only allow writing logs. */
const awsManaged: Record<string, object[]> = {
  AWSLambdaBasicExecutionRole: [
    {
      Sid: "AWSLambdaBasicExecutionRole",
      Effect: "Allow",
      Action: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
      Resource: "*",
    },
  ],
};

interface RoleProperties {
  AssumeRolePolicyDocument?: unknown;
  ManagedPolicyArns?: string[];
  PermissionsBoundary?: unknown;
  Policies?: { PolicyName?: string; PolicyDocument?: unknown }[];
}

interface PolicyProperties {
  PolicyDocument?: unknown;
  /** Names of roles. */
  Roles?: string[];
  RoleName?: string;
}

/**
 * Returns a function that finds a role of the template by its ARN, with its inline, attached and managed policies. Reads
 * each role once. Throws an Error that names a feature that the local host does not understand.
 */
export function createRoles(resolver: Resolver): (arn: string) => Role | undefined {
  const resources = new Map(
    resolver.resources("AWS::IAM::Role").map((role) => [resolver.attribute(role, "Arn"), role]),
  );
  const attached = resolver.resources("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy");
  const roles = new Map<string, Role>();

  function read(arn: string, resource: Resource): Role {
    const { ManagedPolicyArns = [], Policies = [], ...properties } = resource.properties as RoleProperties;
    const name = resolver.ref(resource);
    const where = (policy: string) => `${resource.logicalId}, policy ${policy}`;
    if (properties.PermissionsBoundary !== undefined) {
      throw new Error(`${resource.logicalId}: the local host does not understand the property PermissionsBoundary`);
    }
    const inline = Policies.flatMap(({ PolicyName = "", PolicyDocument }) =>
      compilePolicy(PolicyDocument, where(PolicyName)),
    );
    const byRole = attached.flatMap((policy) => {
      const { Roles = [], RoleName, PolicyDocument } = policy.properties as PolicyProperties;
      const isManaged = policy.type === "AWS::IAM::ManagedPolicy" && ManagedPolicyArns.includes(resolver.ref(policy));
      const applies = isManaged || [...Roles, RoleName].includes(name);
      return applies ? compilePolicy(PolicyDocument, where(policy.logicalId)) : [];
    });
    const inTemplate = attached.map((policy) => resolver.ref(policy));
    const byAws = ManagedPolicyArns.filter((policy) => !inTemplate.includes(policy)).flatMap((policy) => {
      const Statement = awsManaged[policy.split("/").at(-1) ?? ""];
      if (!Statement) throw new Error(`${resource.logicalId}: the local host does not know the policy ${policy}`);
      return compilePolicy({ Statement }, where(policy));
    });
    const trust = compilePolicy(properties.AssumeRolePolicyDocument, `${resource.logicalId}, trust policy`);
    return {
      name,
      arn,
      statements: [...inline, ...byRole, ...byAws],
      trusts: (service) =>
        trust.some(
          (statement) =>
            statement.effect === "Allow" &&
            statement.names({ kind: "service", service }) !== undefined &&
            statement.match({ action: "sts:AssumeRole", resource: arn }, trustKeys) !== undefined,
        ),
    };
  }

  return (arn) => {
    const resource = resources.get(arn);
    if (resource && !roles.has(arn)) roles.set(arn, read(arn, resource));
    return roles.get(arn);
  };
}

function trustKeys(key: string): string[] | undefined {
  return key === "aws:sourceaccount" ? [ACCOUNT] : undefined;
}
