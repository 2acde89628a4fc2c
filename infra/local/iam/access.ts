import { createHash } from "node:crypto";
import { ACCOUNT, PARTITION, REGION } from "../assembly/physical.ts";
import type { Resolver, Resource } from "../assembly/resolve.ts";
import type { Credentials } from "../lambda/environment.ts";
import type { ConditionKeys } from "./condition.ts";
import { type Decision, evaluate, type Reason } from "./evaluate.ts";
import { readResourcePolicies } from "./resource-policies.ts";
import { createRoles, type Role } from "./roles.ts";
import type { Permission, Principal, Statement } from "./statement.ts";

/** The reason why a call is refused, in AWS's words. */
export interface Refusal {
  message: string;
  permission: Permission;
}

/** One grant of a role of the template. */
export interface RoleGrant {
  /** The function, by its CDK path within the stack. */
  function: string;
  action: string;
  resource: string;
  /** The number of calls that it has allowed since the host started. */
  used: number;
}

/** IAM on this machine: identifies the caller and applies the template's policies. */
export interface Access {
  /** Reads the policies of the template. Throws an Error that names a feature that the local host does not understand. */
  load(resolver: Resolver): void;
  /** The credentials of a function. Their access key identifies its calls. */
  credentialsOf(functionName: string): Credentials;
  /** The secret access key of a function's credentials. Undefined for every other access key. */
  secretOf(accessKeyId: string): string | undefined;
  /** Whether an access key belongs to a function. Every other access key is the operator's, and is allowed every call. */
  isFunction(accessKeyId: string): boolean;
  /** Checks a call of a function, by its access key. Undefined = the call is allowed. */
  check(accessKeyId: string, permissions: readonly Permission[]): Refusal | undefined;
  /** Checks a call that Lambda itself makes with a function's role. */
  checkRoleOf(functionName: string, permission: Permission): Refusal | undefined;
  /** Checks a call that a service makes with a role that the template gives it. */
  checkRole(roleArn: string, service: string, permission: Permission): Refusal | undefined;
  /** Checks a call that a service of AWS makes on behalf of a resource. */
  checkService(service: string, sourceArn: string, permission: Permission): Refusal | undefined;
  /** Every grant of the functions' roles. */
  grants(): RoleGrant[];
}

interface Caller {
  label: string;
  role: Role;
  principal: Extract<Principal, { kind: "role" }>;
}

const LAMBDA = "lambda.amazonaws.com";
/** The secret access key of every function. */
const SECRET = "local";

/** Enforces the policies of the loaded template. Until a template is loaded, no access key belongs to a function. */
export function createAccess(): Access {
  const callers = new Map<string, Caller>();
  let resourcePolicies: (resource: string) => readonly Statement[] = () => [];
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
      for (const resource of resolver.resources("AWS::Lambda::Function")) {
        const name = resolver.ref(resource);
        const role = roleOf(String(resource.properties.Role));
        // On AWS the deployment fails without a role.
        const where = `function ${resource.logicalId}`;
        if (!role) throw new Error(`${where}: its role ${resource.properties.Role} is not in the template`);
        if (!role.trusts(LAMBDA)) throw new Error(`${where}: the role ${role.name} cannot be assumed by Lambda`);
        callers.set(accessKeyOf(name), { label: labelOf(resource), role, principal: rolePrincipal(role, name) });
      }
    },
    credentialsOf(functionName) {
      callerOf(functionName);
      return { accessKeyId: accessKeyOf(functionName), secretAccessKey: SECRET };
    },
    secretOf: (accessKeyId) => (callers.has(accessKeyId) ? SECRET : undefined),
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
    grants: () =>
      [...callers.values()].flatMap(({ label, role }) =>
        role.statements.flatMap(({ grants }) => grants.map((grant) => ({ function: label, ...grant }))),
      ),
  };
}

function rolePrincipal({ arn, name }: Role, session: string): Caller["principal"] {
  const sessionArn = `arn:${PARTITION}:sts::${ACCOUNT}:assumed-role/${name}/${session}`;
  return { kind: "role", roleArn: arn, sessionArn, account: ACCOUNT };
}

/** Has the form of AWS's access keys. It is the same at every start, so that presigned URLs stay valid. */
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
      // On AWS the SDK uses TLS. On this machine it uses HTTP on loopback, which counts as secure.
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
