type Predicate = (value: unknown) => boolean;
/** Tests all values of an event at one path. The list is empty if the path does not exist. */
type Rule = (values: unknown[]) => boolean;

/**
 * Compiles an event filter pattern (of EventBridge and of Lambda's FilterCriteria) into a predicate on events. An array matches when one
 * of its values matches. An object is not a value.
 * Throws an Error that names the operator when it is not supported.
 */
export function compileFilter(pattern: unknown): Predicate {
  if (!isObject(pattern)) throw new Error("A filter pattern is an object.");
  const tests = Object.entries(pattern).map(([key, part]) => {
    if (key === "$or") return compileOr(part);
    return Array.isArray(part) ? compileLeaf(key, part) : compileNested(key, part);
  });
  return (event) => tests.every((test) => test(event));
}

function compileOr(alternatives: unknown): Predicate {
  if (!Array.isArray(alternatives) || alternatives.length === 0) throw new Error("$or takes a list of patterns.");
  const tests = alternatives.map(compileFilter);
  return (event) => tests.some((test) => test(event));
}

function compileNested(key: string, part: unknown): Predicate {
  const test = compileFilter(part);
  return (event) => {
    const value = member(event, key);
    if (Array.isArray(value)) return value.some((entry) => isObject(entry) && test(entry));
    // A missing object can match `exists: false`.
    return test(isObject(value) ? value : {});
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
  if (!isObject(rule)) {
    if (Array.isArray(rule)) throw new Error("A filter pattern cannot have a list in a list.");
    return any((value) => value === rule);
  }
  const [operator, operand] = only(rule);
  if (operator === "exists") {
    if (typeof operand !== "boolean") throw new Error("exists takes true or false.");
    return (values) => values.length > 0 === operand;
  }
  return any(compileOperator(operator, operand));
}

function compileOperator(operator: string, operand: unknown): Predicate {
  switch (operator) {
    case "prefix":
      return onText(operator, operand, (value, text) => value.startsWith(text));
    case "suffix":
      return onText(operator, operand, (value, text) => value.endsWith(text));
    case "equals-ignore-case":
      return onText(operator, operand, (value, text) => value.toLowerCase() === text.toLowerCase());
    case "wildcard":
      return compileWildcard(operand);
    case "numeric":
      return compileNumeric(operand);
    case "anything-but":
      return compileAnythingBut(operand);
    default:
      throw new Error(`The filter operator "${operator}" is not known.`);
  }
}

function compileAnythingBut(operand: unknown): Predicate {
  if (isObject(operand)) {
    const [operator, inner] = only(operand);
    if (operator === "numeric" || operator === "anything-but") {
      throw new Error(`anything-but does not take "${operator}".`);
    }
    const excluded = [inner].flat().map((each) => compileOperator(operator, each));
    return (value) => !excluded.some((test) => test(value));
  }
  const excluded: unknown[] = [operand].flat();
  return (value) => !excluded.includes(value);
}

/** `*` matches any characters, `\*` matches a star. */
function compileWildcard(operand: unknown): Predicate {
  if (typeof operand !== "string") throw new Error("wildcard takes a string.");
  const source = operand.replaceAll(/\\([*\\])|(\*+)|[$()+.?[\]^{|}\\]/g, (found, escaped, star) => {
    if (escaped) return `\\${escaped}`;
    return star ? "[^]*" : `\\${found}`;
  });
  const expression = new RegExp(`^${source}$`);
  return (value) => typeof value === "string" && expression.test(value);
}

const comparisons: Record<string, (a: number, b: number) => boolean> = {
  "=": (a, b) => a === b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

/** `["=", 1]`, or a range such as `[">", 0, "<=", 5]`. */
function compileNumeric(operand: unknown): Predicate {
  if (!Array.isArray(operand) || (operand.length !== 2 && operand.length !== 4)) {
    throw new Error("numeric takes one or two pairs of comparison and number.");
  }
  const tests = [operand.slice(0, 2), operand.slice(2)]
    .filter((pair) => pair.length > 0)
    .map(([sign, bound]) => {
      const compare = comparisons[String(sign)];
      if (!compare || typeof bound !== "number") throw new Error(`numeric does not understand "${sign} ${bound}".`);
      return (value: number) => compare(value, bound);
    });
  return (value) => typeof value === "number" && tests.every((test) => test(value));
}

/** String operators also take `{"equals-ignore-case": text}` instead of a text. */
function onText(operator: string, operand: unknown, test: (value: string, text: string) => boolean): Predicate {
  if (typeof operand === "string") return (value) => typeof value === "string" && test(value, operand);
  if (isObject(operand) && operator !== "equals-ignore-case") {
    const [modifier, text] = only(operand);
    if (modifier === "equals-ignore-case" && typeof text === "string") {
      return (value) => typeof value === "string" && test(value.toLowerCase(), text.toLowerCase());
    }
  }
  throw new Error(`${operator} takes a string.`);
}

function any(test: Predicate): Rule {
  return (values) => values.some(test);
}

function only(rule: Record<string, unknown>): [string, unknown] {
  const [entry, ...others] = Object.entries(rule);
  if (!entry || others.length > 0) throw new Error(`A filter rule has one operator: ${JSON.stringify(rule)}.`);
  return entry;
}

function member(event: unknown, key: string): unknown {
  return isObject(event) && Object.hasOwn(event, key) ? event[key] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
