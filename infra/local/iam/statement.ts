/** One action on one resource, which a call needs. */
export interface Permission {
  /** Like `dynamodb:PutItem`. */
  action: string;
  /** An ARN, or `*` for an action without resources. */
  resource: string;
  /** The condition keys that the service adds. */
  keys?: ConditionKeys;
}

/** The value of a request for a condition key, by the key's name in lower case; undefined = the request has no such key. */
export type ConditionKeys = (key: string) => string | undefined;

/** The caller: the role of a function, or an AWS service. */
export type Principal = { kind: "role"; roleArn: string; sessionArn: string } | { kind: "service"; service: string };

/** One action and one resource of an allowing statement, as in the policy. */
interface Grant {
  action: string;
  resource: string;
  /** The number of calls that it has allowed. */
  used: number;
}

/** A compiled statement of a policy. */
export interface Statement {
  effect: "Allow" | "Deny";
  /** The grants of an allowing statement. */
  grants: readonly Grant[];
  /** The grants that apply to a permission. Undefined when the statement does not apply. */
  match(permission: Permission, keys: ConditionKeys): readonly Grant[] | undefined;
  /** Whether a statement of a resource's policy names this principal. */
  names(principal: Principal): boolean;
}

/** A feature in a policy that the local host does not understand. */
class PolicyError extends Error {}

const ELEMENTS = ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"];
const CONDITION_KEYS = ["aws:securetransport", "aws:sourceaccount", "aws:sourcearn", "s3:prefix"];

/** Compiles a value of a policy into a test of a request's value. */
const operators: Record<string, (expected: string) => (actual: string) => boolean> = {
  StringEquals: (expected) => (actual) => actual === expected,
  StringLike: (expected) => compileGlob(expected),
  // AWS documents that ArnEquals and ArnLike behave alike.
  ArnEquals: compileArn,
  ArnLike: compileArn,
  Bool: (expected) => (actual) => actual === expected.toLowerCase(),
};

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
  const unknown = Object.keys(given).find((element) => !ELEMENTS.includes(element));
  if (unknown) throw new PolicyError(`the element ${unknown}`);
  const effect = given.Effect;
  if (effect !== "Allow" && effect !== "Deny") throw new PolicyError(`the effect ${String(effect)}`);
  const actions = texts(given.Action).map((text) => ({ text, matches: compileGlob(text, "i") }));
  const resources = texts(given.Resource ?? "*").map((text) => ({ text, matches: compileGlob(text) }));
  const conditions = compileConditions(given.Condition);
  const rows = actions.flatMap((action) =>
    resources.map((resource) => ({
      grant: { action: action.text, resource: resource.text, used: 0 },
      matches: (permission: Permission) => action.matches(permission.action) && resource.matches(permission.resource),
    })),
  );
  return {
    effect,
    grants: effect === "Allow" ? rows.map(({ grant }) => grant) : [],
    match(permission, keys) {
      const found = rows.filter(({ matches }) => matches(permission));
      if (found.length === 0 || !conditions.every((holds) => holds(keys))) return undefined;
      return found.map(({ grant }) => grant);
    },
    names: compilePrincipal(given.Principal),
  };
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html */
function compileConditions(block: unknown): ((keys: ConditionKeys) => boolean)[] {
  return Object.entries((block ?? {}) as Record<string, Record<string, unknown>>).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([name, values]) => {
      const key = name.toLowerCase();
      if (!CONDITION_KEYS.includes(key)) throw new PolicyError(`the condition key ${name}`);
      const compile = operators[operator.replace(/IfExists$/, "")];
      if (!compile) throw new PolicyError(`the condition operator ${operator}`);
      const tests = texts(values).map(compile);
      const whenMissing = operator.endsWith("IfExists");
      return (given: ConditionKeys) => {
        const actual = given(key);
        return actual === undefined ? whenMissing : tests.some((test) => test(actual));
      };
    }),
  );
}

function compilePrincipal(given: unknown): Statement["names"] {
  if (given === undefined) return () => false;
  if (given === "*") return () => true;
  const { AWS = [], Service = [], ...rest } = given as Record<string, unknown>;
  const [kind] = Object.keys(rest);
  if (kind) throw new PolicyError(`the principal ${kind}`);
  const [callers, services] = [texts(AWS), texts(Service)];
  const account = callers.find((name) => /^\d+$|:root$/.test(name));
  if (account) throw new PolicyError(`the principal ${account}, which is an account`);
  return (principal) =>
    principal.kind === "service"
      ? services.includes(principal.service)
      : callers.some((name) => name === "*" || name === principal.roleArn || name === principal.sessionArn);
}

/** The texts of an element that is a text or a list. Throws a PolicyError for policy variables such as `${aws:username}`. */
function texts(value: unknown): string[] {
  return [value].flat().map((item) => {
    if (typeof item !== "string" && typeof item !== "boolean")
      throw new PolicyError(`the value ${JSON.stringify(item)}`);
    const [variable] = /\$\{[^}]*\}/.exec(String(item)) ?? [];
    if (variable) throw new PolicyError(`the policy variable ${variable}`);
    return String(item);
  });
}

/** Compiles a pattern of a policy: `*` matches any text, including none, and `?` matches one character. */
function compileGlob(pattern: string, flags = ""): (text: string) => boolean {
  const source = RegExp.escape(pattern).replaceAll("\\*", "[^]*").replaceAll("\\?", "[^]");
  const expression = new RegExp(`^${source}$`, flags);
  return (text) => expression.test(text);
}

/** Compares ARNs part by part, so that a wildcard does not match a colon. */
function compileArn(expected: string): (actual: string) => boolean {
  const split = (arn: string) => [...arn.split(":", 5), arn.split(":").slice(5).join(":")];
  const parts = split(expected).map((part) => compileGlob(part));
  return (actual) => split(actual).every((part, at) => parts[at]?.(part));
}
