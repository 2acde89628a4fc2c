/** A route: a path like `/items/{id}` or `/{proxy+}`, and an HTTP method or `ANY`. */
interface Routable {
  httpMethod: string;
  resourcePath: string;
}

export interface Match<T> {
  method: T;
  /** Values of the path parameters, percent-encoded. */
  parameters: Record<string, string> | null;
}

export interface Router<T> {
  /** Finds the route of a percent-encoded path without the query. */
  match(httpMethod: string, path: string): Match<T> | undefined;
}

interface Node<T> {
  fixed: Map<string, Node<T>>;
  parameter?: { name: string; node: Node<T> };
  greedy?: { name: string; node: Node<T> };
  methods: Map<string, T>;
}

/**
 * Routes as API Gateway does: a fixed segment precedes a parameter, and a parameter precedes `{proxy+}`. Path parameters stay
 * percent-encoded, as in the proxy integrations of REST APIs.
 */
export function createRouter<T extends Routable>(methods: T[]): Router<T> {
  const root = createNode<T>();
  for (const method of methods) {
    let node = root;
    for (const part of segments(method.resourcePath)) node = child(node, part);
    node.methods.set(method.httpMethod, method);
  }
  return {
    match(httpMethod, path) {
      const found = walk(root, segments(path), 0, []);
      const method = found?.node.methods.get(httpMethod) ?? found?.node.methods.get("ANY");
      if (!found || !method) return undefined;
      const { parameters } = found;
      return { method, parameters: parameters.length > 0 ? Object.fromEntries(parameters) : null };
    },
  };
}

function createNode<T>(): Node<T> {
  return { fixed: new Map(), methods: new Map() };
}

/** Ignores a slash at the end. An empty segment between two slashes counts. */
function segments(path: string): string[] {
  const parts = path.split("/").slice(1);
  if (parts.at(-1) === "") parts.pop();
  return parts;
}

function child<T>(node: Node<T>, part: string): Node<T> {
  const [, name, plus] = /^\{(.+?)(\+?)\}$/.exec(part) ?? [];
  if (name && plus) {
    node.greedy ??= { name, node: createNode<T>() };
    return node.greedy.node;
  }
  if (name) {
    node.parameter ??= { name, node: createNode<T>() };
    return node.parameter.node;
  }
  const next = node.fixed.get(part) ?? createNode<T>();
  node.fixed.set(part, next);
  return next;
}

type Found<T> = { node: Node<T>; parameters: [string, string][] };

function walk<T>(node: Node<T>, parts: string[], at: number, parameters: [string, string][]): Found<T> | undefined {
  const part = parts[at];
  if (part === undefined) return node.methods.size > 0 ? { node, parameters } : undefined;
  const fixed = node.fixed.get(part);
  const exact = fixed && walk(fixed, parts, at + 1, parameters);
  if (exact) return exact;
  if (part === "") return undefined;
  const { parameter, greedy } = node;
  const bound = parameter && walk(parameter.node, parts, at + 1, [...parameters, [parameter.name, part]]);
  if (bound) return bound;
  return greedy && { node: greedy.node, parameters: [...parameters, [greedy.name, parts.slice(at).join("/")]] };
}
