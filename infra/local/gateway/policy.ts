/** The IAM policy of an authorizer. Only `execute-api:Invoke` matters. */
export interface Policy {
  Statement?: Statement | Statement[];
}

interface Statement {
  Effect?: string;
  Action?: string | string[];
  Resource?: string | string[];
  NotAction?: unknown;
  NotResource?: unknown;
  Condition?: unknown;
}

type Verdict = "allow" | "deny" | "explicit-deny";

/** Evaluates a policy for a method. A Deny overrides every Allow, and without an Allow the method is denied. */
export function evaluatePolicy(policy: Policy, methodArn: string): Verdict {
  const statements = asList(policy.Statement).filter(
    ({ Action, Resource }) =>
      asList(Action).some((pattern) => matches(pattern.toLowerCase(), "execute-api:invoke")) &&
      asList(Resource).some((pattern) => matches(pattern, methodArn)),
  );
  if (statements.some(({ Effect }) => Effect === "Deny")) return "explicit-deny";
  return statements.some(({ Effect }) => Effect === "Allow") ? "allow" : "deny";
}

/** Whether this is a supported policy: one without conditions and negated elements. */
export function isPolicy(value: unknown): value is Policy {
  if (typeof value !== "object" || value === null) return false;
  const statements = asList((value as Policy).Statement);
  return (
    statements.length > 0 &&
    statements.every(
      (s) =>
        (s.Effect === "Allow" || s.Effect === "Deny") &&
        [...asList(s.Action), ...asList(s.Resource)].every((item) => typeof item === "string") &&
        s.NotAction === undefined &&
        s.NotResource === undefined &&
        s.Condition === undefined,
    )
  );
}

/** `*` matches any characters, including slashes, and `?` matches one character. */
function matches(pattern: string, text: string): boolean {
  if (pattern === "*" || pattern === text) return true;
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s").test(text);
}

function asList<T>(value: T | T[] | undefined): T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
