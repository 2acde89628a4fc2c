/** The values of a request for a condition key, by the key's name in lower case; undefined = the request has no such key. */
export type ConditionKeys = (key: string) => readonly string[] | undefined;

/** One key of one operator in a policy's `Condition`. Returns whether a request meets it. */
export type Condition = (keys: ConditionKeys) => boolean;

/** A feature in a policy that the local host does not understand. */
export class PolicyError extends Error {}

/** Condition keys that the local host understands, by their names in lower case. Each has at most one value per request. */
const KNOWN_KEYS = new Set([
  "aws:principalaccount",
  "aws:principalarn",
  "aws:principalisawsservice",
  "aws:requestedregion",
  "aws:resourceaccount",
  "aws:securetransport",
  "aws:sourceaccount",
  "aws:sourcearn",
  "s3:prefix",
]);

/** Compiles a value of a policy into a test of a request's value. */
type Comparison = (expected: string) => (actual: string) => boolean;

const equals: Comparison = (expected) => (actual) => actual === expected;
const like: Comparison = (expected) => compileGlob(expected);

/** Operators by name. A negated one holds when none of its values matches, and also when the request has no such key. */
const operators: Record<string, { compare: Comparison; negated?: boolean }> = {
  StringEquals: { compare: equals },
  StringNotEquals: { compare: equals, negated: true },
  StringLike: { compare: like },
  StringNotLike: { compare: like, negated: true },
  // AWS documents that ArnEquals and ArnLike behave alike.
  ArnEquals: { compare: arnLike },
  ArnNotEquals: { compare: arnLike, negated: true },
  ArnLike: { compare: arnLike },
  ArnNotLike: { compare: arnLike, negated: true },
  Bool: { compare: (expected) => equals(expected.toLowerCase()) },
};

/** Compiles a policy's `Condition`. Throws a PolicyError that names an operator or key that the local host does not know. */
export function compileConditions(block: unknown): Condition[] {
  return Object.entries((block ?? {}) as Record<string, Record<string, unknown>>).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => compileCondition(operator, key, [values].flat().map(String))),
  );
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html */
function compileCondition(operator: string, name: string, values: string[]): Condition {
  const key = name.toLowerCase();
  if (!KNOWN_KEYS.has(key)) throw new PolicyError(`the condition key ${name}`);
  for (const value of values) refuseVariables(value);
  if (operator === "Null") {
    const wanted = values.map((value) => value.toLowerCase() === "true");
    return (keys) => wanted.includes(keys(key) === undefined);
  }
  const [, base = "", ifExists] = /^(\w+?)(IfExists)?$/.exec(operator) ?? [];
  const known = operators[base];
  if (!known) throw new PolicyError(`the condition operator ${operator}`);
  const { compare, negated = false } = known;
  const tests = values.map(compare);
  return (keys) => {
    const actual = keys(key);
    if (actual === undefined || actual.length === 0) return ifExists !== undefined || negated;
    return actual.some((value) => tests.some((test) => test(value)) !== negated);
  };
}

/** Throws a PolicyError for policy variables such as `${aws:PrincipalTag/team}`. */
export function refuseVariables(text: string): void {
  const [variable] = /\$\{[^}]*\}/.exec(text) ?? [];
  if (variable) throw new PolicyError(`the policy variable ${variable}`);
}

/** Compares ARNs part by part, so that a wildcard does not match a colon. */
function arnLike(expected: string): (actual: string) => boolean {
  const parts = splitArn(expected).map((part) => compileGlob(part));
  return (actual) => {
    const found = splitArn(actual);
    return found.length === parts.length && parts.every((matches, at) => matches(found[at] ?? ""));
  };
}

function splitArn(arn: string): string[] {
  const parts = arn.split(":");
  return [...parts.slice(0, 5), parts.slice(5).join(":")];
}

/** Compiles a pattern of a policy: `*` matches any text, including none, and `?` matches one character. */
export function compileGlob(pattern: string, { ignoreCase = false } = {}): (text: string) => boolean {
  if (pattern === "*") return () => true;
  if (!/[*?]/.test(pattern)) {
    if (!ignoreCase) return (text) => text === pattern;
    const wanted = pattern.toLowerCase();
    return (text) => text.toLowerCase() === wanted;
  }
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, "\\$&")
    .replaceAll("*", "[^]*")
    .replaceAll("?", "[^]");
  const expression = new RegExp(`^${source}$`, ignoreCase ? "i" : "");
  return (text) => expression.test(text);
}
