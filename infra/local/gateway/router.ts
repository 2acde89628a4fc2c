/** A route: a path like `/items/{id}` or `/{proxy+}`, and an HTTP method or `ANY`. */
interface Routable {
  httpMethod: string;
  resourcePath: string;
}

interface Match<T> {
  method: T;
  /** Values of the path parameters, percent-encoded. */
  parameters: Record<string, string> | null;
}

export interface Router<T> {
  /** Finds the route of a percent-encoded path without the query. */
  match(httpMethod: string, path: string): Match<T> | undefined;
}

const PARAMETER = /\/\{(.+?)(\+?)\}/g;

/**
 * Routes as API Gateway does: a fixed segment precedes a parameter, and a parameter precedes `{proxy+}`. Path parameters stay
 * percent-encoded, as in the proxy integrations of REST APIs.
 */
export function createRouter<T extends Routable>(methods: readonly T[]): Router<T> {
  const resources = [...Map.groupBy(methods, ({ resourcePath }) => resourcePath)]
    .map(([path, ofPath]) => ({
      names: [...path.matchAll(PARAMETER)].map(([, name = ""]) => name),
      expression: expressionOf(path),
      order: path
        .split("/")
        .map((part) => (part.endsWith("+}") ? 2 : part.startsWith("{") ? 1 : 0))
        .join(""),
      methods: new Map(ofPath.map((method) => [method.httpMethod, method])),
    }))
    .sort((a, b) => (a.order < b.order ? -1 : 1));
  return {
    match(httpMethod, path) {
      // A slash at the end does not count.
      const text = path.replace(/\/$/, "");
      for (const { expression, names, methods } of resources) {
        const found = expression.exec(text);
        if (!found) continue;
        const method = methods.get(httpMethod) ?? methods.get("ANY");
        const parameters = names.map((name, at) => [name, found[at + 1] ?? ""]);
        return method && { method, parameters: names.length > 0 ? Object.fromEntries(parameters) : null };
      }
      return undefined;
    },
  };
}

function expressionOf(path: string): RegExp {
  const [first = "", ...rest] = path.replace(/^\/$/, "").split(/(?=\/)/);
  const parts = [first, ...rest].map((part) => {
    const [, , greedy] = new RegExp(PARAMETER, "").exec(part) ?? [];
    if (greedy === undefined) return RegExp.escape(part);
    return greedy ? "/([^/].*)" : "/([^/]+)";
  });
  return new RegExp(`^${parts.join("")}$`, "s");
}
