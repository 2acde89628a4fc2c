import { createHash } from "node:crypto";
import { ACCOUNT, PARTITION, REGION } from "../assembly/physical.ts";
import type { Resolver, Resource } from "../assembly/resolve.ts";
import type { Credentials } from "../lambda/environment.ts";
import type { ConditionKeys } from "./condition.ts";
import { type Decision, evaluate, type Reason } from "./evaluate.ts";
import { dynamodbPermissions, type PartitionKeys } from "./permissions/dynamodb.ts";
import { readResourcePolicies } from "./resource-policies.ts";
import { createRoles, type Role } from "./roles.ts";
import type { Permission, Principal, Statement } from "./statement.ts";

/** Why a call is refused, in AWS's words. */
export interface Refusal {
  message: string;
  permission: Permission;
}

/** One grant of a role of the template. */
export interface RoleGrant {
  /** The function, by its CDK path within the stack. */
  function: string;
  sid: string | undefined;
  action: string;
  resource: string;
  /** Calls that it has allowed since the host started. */
  used: number;
}

/** IAM on this machine: who calls, and what the template's policies let them do. */
export interface Access {
  /** Reads the policies of the template. Throws an Error that names what the local host does not understand. */
  load(resolver: Resolver): void;
  /** The credentials of a function: calls are known by their access key. */
  credentialsOf(functionName: string): Credentials;
  /** The secret access key of a function's credentials. Undefined for every other access key. */
  secretOf(accessKeyId: string): string | undefined;
  /** Whether an access key belongs to a function. Any other one is the operator's, who may do everything. */
  isFunction(accessKeyId: string): boolean;
  /** Checks a call of a function, by its access key. Undefined = it is allowed. */
  check(accessKeyId: string, permissions: readonly Permission[]): Refusal | undefined;
  /** Checks what Lambda itself does with a function's role. */
  checkRoleOf(functionName: string, permission: Permission): Refusal | undefined;
  /** Checks what a service may do with a role that the template gives it. */
  checkRole(roleArn: string, service: string, permission: Permission): Refusal | undefined;
  /** Checks a call that a service of AWS makes in the name of a resource. */
  checkService(service: string, sourceArn: string, permission: Permission): Refusal | undefined;
  /** What a call of DynamoDB needs. Undefined for an operation that the local host does not know. */
  dynamodbPermissions(operation: string, body: unknown): Permission[] | undefined;
  /** Every grant of the functions' roles. */
  grants(): RoleGrant[];
}

interface Caller {
  label: string;
  name: string;
  role: Role;
  principal: Extract<Principal, { kind: "role" }>;
  secretAccessKey: string;
}

const LAMBDA = "lambda.amazonaws.com";

/** Enforces the policies of the template that is loaded. Before that, no call of a function is allowed. */
export function createAccess(): Access {
  const callers = new Map<string, Caller>();
  let resourcePolicies: (resource: string) => readonly Statement[] = () => [];
  let partitionKeys: PartitionKeys = new Map();
  let roleOf: (arn: string) => Role | undefined = () => undefined;

  function decide(principal: Principal, identity: readonly Statement[], permission: Permission, sourceArn?: string) {
    const policies = { identity, resource: resourcePolicies(permission.resource) };
    return evaluate(permission, principal, policies, requestKeys(permission, principal, sourceArn));
  }

  function refuseAny(principal: Principal, identity: readonly Statement[], permissions: readonly Permission[]) {
    for (const permission of permissions) {
      const decision = decide(principal, identity, permission);
      if (!decision.allowed) return refusal(principal, permission, decision);
    }
    return undefined;
  }

  function callerOf(functionName: string): Caller {
    const caller = callers.get(accessKeyOf(functionName));
    if (!caller) throw new Error(`${functionName}: the function has no role`);
    return caller;
  }

  return {
    load(resolver) {
      roleOf = createRoles(resolver);
      resourcePolicies = readResourcePolicies(resolver);
      partitionKeys = readPartitionKeys(resolver);
      for (const resource of resolver.resources("AWS::Lambda::Function")) {
        const name = resolver.ref(resource);
        const role = roleOf(String(resource.properties.Role));
        // On AWS every function has one; the deployment fails otherwise.
        if (!role)
          throw new Error(
            `function ${resource.logicalId}: its role ${resource.properties.Role} is not in the template`,
          );
        if (!role.trusts(LAMBDA))
          throw new Error(`function ${resource.logicalId}: the role ${role.name} cannot be assumed by Lambda`);
        callers.set(accessKeyOf(name), {
          label: labelOf(resource),
          name,
          role,
          principal: rolePrincipal(role, name),
          secretAccessKey: "local",
        });
      }
    },
    credentialsOf(functionName) {
      return { accessKeyId: accessKeyOf(functionName), secretAccessKey: callerOf(functionName).secretAccessKey };
    },
    secretOf: (accessKeyId) => callers.get(accessKeyId)?.secretAccessKey,
    isFunction: (accessKeyId) => callers.has(accessKeyId),
    check(accessKeyId, permissions) {
      const caller = callers.get(accessKeyId);
      return caller && refuseAny(caller.principal, caller.role.statements, permissions);
    },
    checkRoleOf(functionName, permission) {
      const { principal, role } = callerOf(functionName);
      return refuseAny(principal, role.statements, [permission]);
    },
    checkRole(roleArn, service, permission) {
      const role = roleOf(roleArn);
      if (!role?.trusts(service)) {
        return { permission, message: `The role ${roleArn} cannot be assumed by ${service}` };
      }
      return refuseAny(rolePrincipal(role, service), role.statements, [permission]);
    },
    checkService(service, sourceArn, permission) {
      const principal: Principal = { kind: "service", service };
      const decision = decide(principal, [], permission, sourceArn);
      return decision.allowed ? undefined : refusal(principal, permission, decision);
    },
    dynamodbPermissions: (operation, body) => dynamodbPermissions(operation, body, partitionKeys),
    grants: () =>
      [...callers.values()].flatMap(({ label, role }) =>
        role.statements.flatMap(({ sid, grants }) => grants.map((grant) => ({ function: label, sid, ...grant }))),
      ),
  };
}

function rolePrincipal({ arn, name }: Role, session: string): Caller["principal"] {
  const sessionArn = `arn:${PARTITION}:sts::${ACCOUNT}:assumed-role/${name}/${session}`;
  return { kind: "role", roleArn: arn, sessionArn, account: ACCOUNT };
}

/** Shaped as AWS's access keys are, and the same at every start: presigned URLs stay good. */
function accessKeyOf(functionName: string): string {
  return `ASIA${createHash("sha256").update(functionName).digest("hex").slice(0, 16).toUpperCase()}`;
}

/** `jobs-archive` of `Memocha-dev-Jobs/jobs-archive/Function/Resource`. */
function labelOf({ constructPath, logicalId }: Resource): string {
  return constructPath?.split("/").slice(1, -2).join("/") || logicalId;
}

/** The condition keys of every request, and those of the service. */
function requestKeys({ keys }: Permission, principal: Principal, sourceArn: string | undefined): ConditionKeys {
  const isRole = principal.kind === "role";
  return (key) => {
    switch (key) {
      // On AWS the SDK speaks TLS; on this machine it speaks HTTP on loopback.
      case "aws:securetransport":
        return ["true"];
      case "aws:requestedregion":
        return [REGION];
      case "aws:resourceaccount":
        return [ACCOUNT];
      case "aws:principalisawsservice":
        return [String(!isRole)];
      case "aws:principalarn":
        return isRole ? [principal.roleArn] : undefined;
      case "aws:principalaccount":
        return isRole ? [principal.account] : undefined;
      case "aws:sourcearn":
        return sourceArn === undefined ? undefined : [sourceArn];
      case "aws:sourceaccount":
        return sourceArn === undefined ? undefined : [ACCOUNT];
      default:
        return keys?.(key);
    }
  };
}

const because: Record<Reason, (action: string) => string> = {
  "no-identity-policy": (action) => `because no identity-based policy allows the ${action} action`,
  "no-resource-policy": (action) => `because no resource-based policy allows the ${action} action`,
  "identity-deny": () => "with an explicit deny in an identity-based policy",
  "resource-deny": () => "with an explicit deny in a resource-based policy",
};

function refusal(
  principal: Principal,
  permission: Permission,
  { reason }: Extract<Decision, { allowed: false }>,
): Refusal {
  const { action, resource } = permission;
  const who = principal.kind === "role" ? principal.sessionArn : principal.service;
  return {
    permission,
    message: `User: ${who} is not authorized to perform: ${action} on resource: ${resource} ${because[reason](action)}`,
  };
}

function readPartitionKeys(resolver: Resolver): PartitionKeys {
  interface Keyed {
    IndexName?: string;
    KeySchema?: { AttributeName: string; KeyType: string }[];
    SearchSchema?: { AttributeName: string; SearchSchemaElementType: string }[];
  }
  const hashOf = ({ KeySchema = [], SearchSchema = [] }: Keyed): string =>
    KeySchema.find(({ KeyType }) => KeyType === "HASH")?.AttributeName ??
    SearchSchema.find(({ SearchSchemaElementType }) => SearchSchemaElementType === "HASH")?.AttributeName ??
    "";
  return new Map(
    resolver.resources("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable").map((resource) => {
      const table = resource.properties as Keyed & Record<string, Keyed[] | undefined>;
      const { GlobalSecondaryIndexes = [], LocalSecondaryIndexes = [], VectorIndexes = [] } = table;
      const indexes = [...GlobalSecondaryIndexes, ...LocalSecondaryIndexes, ...VectorIndexes];
      return [
        resolver.ref(resource),
        { table: hashOf(table), indexes: new Map(indexes.map((index) => [index.IndexName ?? "", hashOf(index)])) },
      ];
    }),
  );
}
