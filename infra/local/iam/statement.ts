import {
  type Condition,
  type ConditionKeys,
  compileConditions,
  compileGlob,
  PolicyError,
  refuseVariables,
} from "./condition.ts";

/** One action on one resource, which a call needs. */
export interface Permission {
  /** Like `dynamodb:PutItem`. */
  action: string;
  /** An ARN, or `*` for an action without resources. */
  resource: string;
  /** The condition keys that the service adds. */
  keys?: ConditionKeys;
}

/** The caller: the role of a function, or an AWS service. */
export type Principal =
  | { kind: "role"; roleArn: string; sessionArn: string; account: string }
  | { kind: "service"; service: string };

/** One action and one resource of an allowing statement, as in the policy. */
export interface Grant {
  action: string;
  resource: string;
  /** The number of calls that it has allowed. */
  used: number;
}

/** A compiled statement of a policy. */
export interface Statement {
  effect: "Allow" | "Deny";
  /** The statement's grants. Empty for a statement with `Deny`, `NotAction` or `NotResource`. */
  grants: readonly Grant[];
  /** The grants that apply to a permission. Undefined when the statement does not apply. */
  match(permission: Permission, keys: ConditionKeys): readonly Grant[] | undefined;
  /** How a statement of a resource's policy names this principal. Undefined when it does not. */
  names(principal: Principal): "principal" | "account" | undefined;
}

const KNOWN = new Set(["Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"]);

/**
 * Compiles the statements of a policy document. `where` names the policy in errors.
 * Throws an Error that names a feature that the local host does not understand, so that the feature is never ignored.
 */
export function compilePolicy(document: unknown, where: string): Statement[] {
  const { Statement: statements = [] } = (document ?? {}) as { Statement?: unknown };
  return [statements].flat().map((statement, at) => {
    const { Sid } = statement as { Sid?: string };
    try {
      return compileStatement(statement as Record<string, unknown>);
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      throw new Error(`${where}, statement ${Sid ?? at + 1}: the local host does not understand ${error.message}`);
    }
  });
}

function compileStatement(given: Record<string, unknown>): Statement {
  for (const element of Object.keys(given)) {
    if (!KNOWN.has(element)) throw new PolicyError(`the element ${element}`);
  }
  const effect = given.Effect;
  if (effect !== "Allow" && effect !== "Deny") throw new PolicyError(`the effect ${String(effect)}`);
  const actions = patterns(given.Action ?? given.NotAction, true);
  const resources = patterns(given.Resource ?? given.NotResource ?? "*", false);
  const [notAction, notResource] = [given.NotAction !== undefined, given.NotResource !== undefined];
  const conditions = compileConditions(given.Condition);
  const isPlain = effect === "Allow" && !notAction && !notResource;
  const grants = actions.map(({ text: action }) =>
    isPlain ? resources.map(({ text: resource }): Grant => ({ action, resource, used: 0 })) : [],
  );
  return {
    effect,
    grants: grants.flat(),
    match(permission, keys) {
      const ofAction = actions.map(({ matches }) => matches(permission.action));
      if (ofAction.includes(true) === notAction) return undefined;
      const ofResource = resources.map(({ matches }) => matches(permission.resource));
      if (ofResource.includes(true) === notResource) return undefined;
      if (!conditions.every((condition: Condition) => condition(keys))) return undefined;
      return grants.flatMap((row, at) => (ofAction[at] ? row.filter((_, column) => ofResource[column]) : []));
    },
    names: compilePrincipal(given.Principal),
  };
}

function patterns(value: unknown, ignoreCase: boolean): { text: string; matches(text: string): boolean }[] {
  if (value === undefined) throw new PolicyError("a statement without Action and NotAction");
  return [value].flat().map((item) => {
    if (typeof item !== "string") throw new PolicyError(`the value ${JSON.stringify(item)}`);
    refuseVariables(item);
    return { text: item, matches: compileGlob(item, { ignoreCase }) };
  });
}

function compilePrincipal(given: unknown): Statement["names"] {
  if (given === undefined) return () => undefined;
  if (given === "*") return () => "principal";
  const { AWS = [], Service = [], ...rest } = given as Record<string, unknown>;
  const [kind] = Object.keys(rest);
  if (kind) throw new PolicyError(`the principal ${kind}`);
  const [accounts, services] = [[AWS].flat().map(String), [Service].flat().map(String)];
  return (principal) => {
    if (principal.kind === "service") return services.includes(principal.service) ? "principal" : undefined;
    const { roleArn, sessionArn, account } = principal;
    if (accounts.some((name) => name === "*" || name === roleArn || name === sessionArn)) return "principal";
    return accounts.some((name) => name === account || name.endsWith(`:iam::${account}:root`)) ? "account" : undefined;
  };
}
