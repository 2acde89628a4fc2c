import { compileGlob } from "./glob.ts";

/** The values that a request has for a condition key, by its name in lower case; undefined = the request has no such key. */
export type ConditionKeys = (key: string) => readonly string[] | undefined;

/** One key of one operator in a policy's `Condition`: says whether a request meets it. */
export type Condition = (keys: ConditionKeys) => boolean;

/** Something in a policy that the local host does not understand. */
export class PolicyError extends Error {}

/** Condition keys that the local host can work out, by their names in lower case. */
const SINGLE_VALUED = new Set([
  "aws:principalaccount",
  "aws:principalarn",
  "aws:principalisawsservice",
  "aws:requestedregion",
  "aws:resourceaccount",
  "aws:securetransport",
  "aws:sourceaccount",
  "aws:sourcearn",
  "dynamodb:enclosingoperation",
  "dynamodb:returnvalues",
  "dynamodb:select",
  "s3:delimiter",
  "s3:max-keys",
  "s3:prefix",
  "s3:versionid",
]);
/** The same, of keys that may have several values in one request: a policy has to say `ForAllValues:` or `ForAnyValue:`. */
const MULTI_VALUED = new Set(["dynamodb:leadingkeys"]);

/** Compiles a value of a policy into a test of a request's value. */
type Comparison = (expected: string) => (actual: string) => boolean;

const equals: Comparison = (expected) => (actual) => actual === expected;
const equalsIgnoringCase: Comparison = (expected) => {
  const wanted = expected.toLowerCase();
  return (actual) => actual.toLowerCase() === wanted;
};
const numeric =
  (compare: (actual: number, expected: number) => boolean): Comparison =>
  (expected) =>
  (actual) =>
    compare(Number(actual), Number(expected));

/** Operators by name. A negated one holds when none of its values matches, and also when the request has no such key. */
const operators: Record<string, { compare: Comparison; negated?: boolean }> = {
  StringEquals: { compare: equals },
  StringNotEquals: { compare: equals, negated: true },
  StringEqualsIgnoreCase: { compare: equalsIgnoringCase },
  StringNotEqualsIgnoreCase: { compare: equalsIgnoringCase, negated: true },
  StringLike: { compare: (expected) => compileGlob(expected) },
  StringNotLike: { compare: (expected) => compileGlob(expected), negated: true },
  // AWS documents that ArnEquals and ArnLike behave alike.
  ArnEquals: { compare: arnLike },
  ArnNotEquals: { compare: arnLike, negated: true },
  ArnLike: { compare: arnLike },
  ArnNotLike: { compare: arnLike, negated: true },
  Bool: { compare: equalsIgnoringCase },
  NumericEquals: { compare: numeric((actual, expected) => actual === expected) },
  NumericNotEquals: { compare: numeric((actual, expected) => actual === expected), negated: true },
  NumericLessThan: { compare: numeric((actual, expected) => actual < expected) },
  NumericLessThanEquals: { compare: numeric((actual, expected) => actual <= expected) },
  NumericGreaterThan: { compare: numeric((actual, expected) => actual > expected) },
  NumericGreaterThanEquals: { compare: numeric((actual, expected) => actual >= expected) },
};

/**
 * Compiles a policy's `Condition`. Throws a PolicyError that names the operator or the key that the local host does not know.
 */
export function compileConditions(block: unknown): Condition[] {
  return Object.entries((block ?? {}) as Record<string, Record<string, unknown>>).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => compileCondition(operator, key, [values].flat().map(String))),
  );
}

function compileCondition(operator: string, name: string, values: string[]): Condition {
  const key = name.toLowerCase();
  const [, set, base = "", ifExists] = /^(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?$/.exec(operator) ?? [];
  if (!SINGLE_VALUED.has(key) && !MULTI_VALUED.has(key)) throw new PolicyError(`the condition key ${name}`);
  if (MULTI_VALUED.has(key) && set === undefined) {
    throw new PolicyError(`${operator} without ForAllValues: or ForAnyValue: on the condition key ${name}`);
  }
  for (const value of values) refuseVariables(value);
  if (base === "Null" && set === undefined && ifExists === undefined) {
    const wanted = values.map((value) => value.toLowerCase() === "true");
    return (keys) => wanted.includes(keys(key) === undefined);
  }
  const known = operators[base];
  if (!known) throw new PolicyError(`the condition operator ${operator}`);
  const { compare, negated = false } = known;
  const tests = values.map(compare);
  const holds = (actual: string) => tests.some((test) => test(actual)) !== negated;
  return (keys) => {
    const actual = keys(key);
    if (actual === undefined || actual.length === 0) return ifExists !== undefined || absent(set, negated);
    return set === "ForAllValues" ? actual.every(holds) : actual.some(holds);
  };
}

/** What a condition says when the request has no such key: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html */
function absent(set: string | undefined, negated: boolean): boolean {
  if (set === "ForAllValues") return true;
  return set === undefined && negated;
}

/** Throws a PolicyError for policy variables such as `${aws:PrincipalTag/team}`. */
export function refuseVariables(text: string): void {
  const [variable] = /\$\{[^}]*\}/.exec(text) ?? [];
  if (variable) throw new PolicyError(`the policy variable ${variable}`);
}

/** An ARN is compared part by part, so that a wildcard does not reach beyond a colon. */
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
