import { createHash } from "node:crypto";
import { ACCOUNT, PARTITION } from "../assembly/physical.ts";
import { labelOf, type Resolver } from "../assembly/resolve.ts";
import type { Credentials } from "../lambda/environment.ts";
import { type Role, readResourcePolicies, readRoles } from "./policies.ts";
import type { ConditionKeys, Permission, Principal, Statement } from "./statement.ts";

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
  /** The secret access key of a function's credentials. Undefined for every other access key, which is the operator's. */
  secretOf(accessKeyId: string): string | undefined;
  /** Checks a call, by its access key. Returns the refusal in AWS's words; undefined = the call is allowed. */
  check(accessKeyId: string, permissions: readonly Permission[]): string | undefined;
  /** Checks a call that Lambda itself makes with a function's role. */
  checkRoleOf(functionName: string, permission: Permission): string | undefined;
  /** Checks a call that a service of AWS makes on behalf of a resource. */
  checkService(service: string, sourceArn: string, permission: Permission): string | undefined;
  /** Every grant of the functions' roles. */
  grants(): RoleGrant[];
}

interface Caller {
  label: string;
  role: Role;
  principal: Principal;
}

const LAMBDA = "lambda.amazonaws.com";
/** The secret access key of every function. */
const SECRET = "local";

/** Enforces the policies of the loaded template. Until a template is loaded, no access key belongs to a function. */
export function createAccess(): Access {
  const callers = new Map<string, Caller>();
  let resourcePolicies: (resource: string) => readonly Statement[] = () => [];

  const check = (principal: Principal, identity: readonly Statement[], permission: Permission, sourceArn?: string) =>
    evaluate(permission, principal, identity, resourcePolicies(permission.resource), (key) => {
      // On AWS the SDK uses TLS. On this machine it uses HTTP on loopback, which counts as secure.
      if (key === "aws:securetransport") return "true";
      if (key === "aws:sourcearn") return sourceArn;
      if (key === "aws:sourceaccount") return sourceArn && ACCOUNT;
      return permission.keys?.(key);
    });

  return {
    load(resolver) {
      resourcePolicies = readResourcePolicies(resolver);
      const roleOf = readRoles(resolver);
      for (const resource of resolver.resources("AWS::Lambda::Function")) {
        const name = resolver.ref(resource);
        const role = roleOf(String(resource.properties.Role));
        // On AWS the deployment fails without a role.
        const where = `function ${resource.logicalId}`;
        if (!role) throw new Error(`${where}: its role ${resource.properties.Role} is not in the template`);
        if (!role.trusts(LAMBDA)) throw new Error(`${where}: the role ${role.name} cannot be assumed by Lambda`);
        const sessionArn = `arn:${PARTITION}:sts::${ACCOUNT}:assumed-role/${role.name}/${name}`;
        const principal: Principal = { kind: "role", roleArn: role.arn, sessionArn };
        callers.set(accessKeyOf(name), { label: labelOf(resource), role, principal });
      }
    },
    credentialsOf: (functionName) => ({ accessKeyId: accessKeyOf(functionName), secretAccessKey: SECRET }),
    secretOf: (accessKeyId) => (callers.has(accessKeyId) ? SECRET : undefined),
    check(accessKeyId, permissions) {
      const caller = callers.get(accessKeyId);
      if (!caller) return undefined;
      for (const permission of permissions) {
        const refusal = check(caller.principal, caller.role.statements, permission);
        if (refusal) return refusal;
      }
      return undefined;
    },
    checkRoleOf(functionName, permission) {
      return this.check(accessKeyOf(functionName), [permission]);
    },
    checkService: (service, sourceArn, permission) => check({ kind: "service", service }, [], permission, sourceArn),
    grants: () =>
      [...callers.values()].flatMap(({ label, role }) =>
        role.statements.flatMap(({ grants }) => grants.map((grant) => ({ function: label, ...grant }))),
      ),
  };
}

/** Has the form of AWS's access keys. It is the same at every start, so that presigned URLs stay valid. */
function accessKeyOf(functionName: string): string {
  return `ASIA${createHash("sha256").update(functionName).digest("hex").slice(0, 16).toUpperCase()}`;
}

/**
 * Decides as IAM does within one account. A deny in either policy wins; otherwise one allow in either policy is enough.
 * Counts the use of grants. Returns the refusal; undefined = the permission is granted.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */
function evaluate(
  permission: Permission,
  principal: Principal,
  identity: readonly Statement[],
  ofResource: readonly Statement[],
  keys: ConditionKeys,
): string | undefined {
  const { action, resource } = permission;
  const who = principal.kind === "role" ? principal.sessionArn : principal.service;
  const refuse = (why: string) =>
    `User: ${who} is not authorized to perform: ${action} on resource: ${resource} ${why}`;
  const matching = (statements: readonly Statement[]) =>
    statements.flatMap(({ effect, match }) => {
      const grants = match(permission, keys);
      return grants ? [{ effect, grants }] : [];
    });
  const byIdentity = matching(identity);
  const byResource = matching(ofResource.filter((statement) => statement.names(principal)));
  if (byIdentity.some(({ effect }) => effect === "Deny")) {
    return refuse("with an explicit deny in an identity-based policy");
  }
  if (byResource.some(({ effect }) => effect === "Deny")) {
    return refuse("with an explicit deny in a resource-based policy");
  }
  const allowing = [...byIdentity, ...byResource];
  if (allowing.length === 0) {
    const kind = principal.kind === "role" ? "identity-based" : "resource-based";
    return refuse(`because no ${kind} policy allows the ${action} action`);
  }
  for (const { grants } of allowing) for (const grant of grants) grant.used += 1;
  return undefined;
}
