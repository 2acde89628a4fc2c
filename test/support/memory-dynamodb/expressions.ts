/** Parses and evaluates the expressions that the product sends to DynamoDB. Throws on any other expression. */

export type Item = Record<string, unknown>;

/** Looks up `#name` and `:value`. */
export interface Placeholders {
  name(token: string): string;
  value(token: string): unknown;
}

type Condition = (item: Item, placeholders: Placeholders) => boolean;
type Operand = (item: Item, placeholders: Placeholders) => unknown;

const TOKEN = /\s*([#:]?[A-Za-z_][A-Za-z0-9_]*|<>|<=|>=|[=<>(),+-])/y;

interface Tokens {
  peek(): string | undefined;
  next(): string;
  /** Takes the token if it comes next. Keywords are written in capitals. */
  take(token: string): boolean;
  expect(token: string): void;
  end(): void;
}

const COMPARATORS = new Set(["=", "<>", "<", "<=", ">", ">="]);

/** Compiled expressions by their text. The product sends few different ones. */
const conditions = new Map<string, Condition>();
const updates = new Map<string, UpdateStep[]>();

/** A condition, filter or key condition. */
export const compileCondition = (text: string): Condition => cached(conditions, text, () => parseWhole(text, parseOr));

interface UpdateStep {
  clause: "SET" | "REMOVE" | "ADD";
  /** The attribute's name or its placeholder. */
  path: string;
  operand?: Operand;
}

export const compileUpdate = (text: string): UpdateStep[] => cached(updates, text, () => parseWhole(text, parseUpdate));

const placeholders = new Map<string, string[]>();

/** Every `#name` and `:value` of an expression. */
export const placeholdersIn = (text: string): string[] =>
  cached(placeholders, text, () => text.match(/[#:]\w+/g) ?? []);

/** The attribute names in a projection, with their placeholders. */
export const namesOf = (projection: string): string[] => projection.split(",").map((name) => name.trim());

/** Resolves a name or its placeholder. */
export const attributeOf = (path: string, placeholders: Placeholders): string =>
  path.startsWith("#") ? placeholders.name(path) : path;

function cached<T>(cache: Map<string, T>, text: string, compile: () => T): T {
  const known = cache.get(text);
  if (known !== undefined) return known;
  const compiled = compile();
  cache.set(text, compiled);
  return compiled;
}

function parseWhole<T>(text: string, parse: (tokens: Tokens) => T): T {
  const tokens = tokensOf(text);
  const result = parse(tokens);
  tokens.end();
  return result;
}

function tokensOf(text: string): Tokens {
  const all: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const match = TOKEN.exec(text);
    if (!match?.[1]) throw new Error(`the expression cannot be read: ${text}`);
    all.push(match[1]);
  }
  let at = 0;
  const fail = () => new Error(`the expression is not understood at "${all.slice(at).join(" ")}": ${text}`);
  return {
    peek: () => all[at],
    next() {
      const token = all[at];
      if (token === undefined) throw fail();
      at++;
      return token;
    },
    take(token) {
      if (all[at]?.toUpperCase() !== token) return false;
      at++;
      return true;
    },
    expect(token) {
      if (!this.take(token)) throw fail();
    },
    end() {
      if (at < all.length) throw fail();
    },
  };
}

function parseOr(tokens: Tokens): Condition {
  const parts = [parseAnd(tokens)];
  while (tokens.take("OR")) parts.push(parseAnd(tokens));
  const [only] = parts;
  return parts.length === 1 && only ? only : (item, p) => parts.some((part) => part(item, p));
}

function parseAnd(tokens: Tokens): Condition {
  const parts = [parseNot(tokens)];
  while (tokens.take("AND")) parts.push(parseNot(tokens));
  const [only] = parts;
  return parts.length === 1 && only ? only : (item, p) => parts.every((part) => part(item, p));
}

function parseNot(tokens: Tokens): Condition {
  if (tokens.take("NOT")) {
    const inner = parseNot(tokens);
    return (item, p) => !inner(item, p);
  }
  if (tokens.take("(")) {
    const inner = parseOr(tokens);
    tokens.expect(")");
    return inner;
  }
  return parseComparison(tokens);
}

function parseComparison(tokens: Tokens): Condition {
  const called = parseFunction(tokens);
  if (called) return called;
  const left = parseOperand(tokens);
  if (tokens.take("BETWEEN")) {
    const low = parseOperand(tokens);
    tokens.expect("AND");
    const high = parseOperand(tokens);
    return (item, p) => {
      const value = left(item, p);
      return compare(value, ">=", low(item, p)) && compare(value, "<=", high(item, p));
    };
  }
  if (tokens.take("IN")) {
    tokens.expect("(");
    const members: Operand[] = [];
    do members.push(parseOperand(tokens));
    while (tokens.take(","));
    tokens.expect(")");
    return (item, p) => members.some((member) => compare(left(item, p), "=", member(item, p)));
  }
  const operator = tokens.next();
  if (!COMPARATORS.has(operator)) throw new Error(`the comparator is not known: ${operator}`);
  const right = parseOperand(tokens);
  return (item, p) => compare(left(item, p), operator, right(item, p));
}

function parseFunction(tokens: Tokens): Condition | undefined {
  if (tokens.take("ATTRIBUTE_EXISTS")) return parseExists(tokens, true);
  if (tokens.take("ATTRIBUTE_NOT_EXISTS")) return parseExists(tokens, false);
  if (!tokens.take("BEGINS_WITH")) return undefined;
  tokens.expect("(");
  const value = parseOperand(tokens);
  tokens.expect(",");
  const prefix = parseOperand(tokens);
  tokens.expect(")");
  return (item, p) => {
    const [text, start] = [value(item, p), prefix(item, p)];
    return typeof text === "string" && typeof start === "string" && text.startsWith(start);
  };
}

function parseExists(tokens: Tokens, wanted: boolean): Condition {
  tokens.expect("(");
  const operand = parseOperand(tokens);
  tokens.expect(")");
  return (item, p) => (operand(item, p) !== undefined) === wanted;
}

function parseOperand(tokens: Tokens): Operand {
  const token = tokens.next();
  if (token.startsWith(":")) return (_, p) => p.value(token);
  if (!/^#?[A-Za-z_]/.test(token)) throw new Error(`an operand is expected, not ${token}`);
  return (item, p) => item[attributeOf(token, p)];
}

function parseUpdate(tokens: Tokens): UpdateStep[] {
  const steps: UpdateStep[] = [];
  while (tokens.peek() !== undefined) {
    const clause = tokens.next().toUpperCase();
    if (clause !== "SET" && clause !== "REMOVE" && clause !== "ADD")
      throw new Error(`the clause is not known: ${clause}`);
    do {
      const path = tokens.next();
      if (clause === "REMOVE") steps.push({ clause, path });
      else if (clause === "ADD") steps.push({ clause, path, operand: parseOperand(tokens) });
      else {
        tokens.expect("=");
        steps.push({ clause, path, operand: parseValue(tokens) });
      }
    } while (tokens.take(","));
  }
  return steps;
}

function parseValue(tokens: Tokens): Operand {
  if (!tokens.take("IF_NOT_EXISTS")) return parseOperand(tokens);
  tokens.expect("(");
  const present = parseOperand(tokens);
  tokens.expect(",");
  const otherwise = parseOperand(tokens);
  tokens.expect(")");
  return (item, p) => present(item, p) ?? otherwise(item, p);
}

/** Values of different types are unequal and have no order. An absent attribute differs from every value. */
function compare(left: unknown, operator: string, right: unknown): boolean {
  if (left === undefined || right === undefined) return operator === "<>";
  const isScalar = (value: unknown) => value === null || ["string", "number", "boolean"].includes(typeof value);
  if (!isScalar(left) || !isScalar(right)) throw new Error("only strings, numbers and booleans can be compared");
  if (operator === "=") return left === right;
  if (operator === "<>") return left !== right;
  if (typeof left !== typeof right || typeof left === "boolean" || left === null || right === null) return false;
  const order = left < right ? -1 : left > right ? 1 : 0;
  if (operator === "<") return order < 0;
  if (operator === "<=") return order <= 0;
  return operator === ">" ? order > 0 : order >= 0;
}
