type Predicate = (value: unknown) => boolean;
/** Tests all values of an event at one path. The list is empty if the path does not exist. */
type Rule = (values: unknown[]) => boolean;

/**
 * Compiles an event filter pattern of Lambda's FilterCriteria into a predicate on events. It knows values and `prefix`. An array matches
 * when one of its values matches. An object is not a value. Throws an Error that names any other operator.
 */
export function compileFilter(pattern: unknown): Predicate {
  if (!isObject(pattern)) throw new Error("A filter pattern is an object.");
  const tests = Object.entries(pattern).map(([key, part]) => {
    if (key.startsWith("$")) throw new Error(`The filter operator "${key}" is not known.`);
    return Array.isArray(part) ? compileLeaf(key, part) : compileNested(key, part);
  });
  return (event) => tests.every((test) => test(event));
}

function compileNested(key: string, part: unknown): Predicate {
  const test = compileFilter(part);
  return (event) => {
    const value = member(event, key);
    return [value].flat().some((entry) => isObject(entry) && test(entry));
  };
}

function compileLeaf(key: string, part: unknown[]): Predicate {
  if (part.length === 0) throw new Error(`The list of "${key}" in a filter pattern is empty: it would match nothing.`);
  const rules = part.map(compileRule);
  return (event) => {
    const values = [member(event, key)].flat(Number.POSITIVE_INFINITY).filter((v) => v !== undefined && !isObject(v));
    return rules.some((rule) => rule(values));
  };
}

function compileRule(rule: unknown): Rule {
  if (Array.isArray(rule)) throw new Error("A filter pattern cannot have a list in a list.");
  if (!isObject(rule)) return (values) => values.includes(rule);
  const [[operator, operand] = ["", undefined], ...others] = Object.entries(rule);
  if (others.length > 0) throw new Error(`A filter rule has one operator: ${JSON.stringify(rule)}.`);
  if (operator !== "prefix") throw new Error(`The filter operator "${operator}" is not known.`);
  if (typeof operand !== "string") throw new Error("prefix takes a string.");
  return (values) => values.some((value) => typeof value === "string" && value.startsWith(operand));
}

function member(event: unknown, key: string): unknown {
  return isObject(event) && Object.hasOwn(event, key) ? event[key] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
