import type { Claims } from "./identity.ts";

/** The payload of a token whose signature, issuer, audience and times are right; `null` for any other. */
export type TokenVerifier = (token: string) => Promise<Record<string, unknown> | null>;

/** Characters of an Authorization header; API Gateway takes 10 KB of headers at most. */
const MAX_HEADER = 8192;

/** Characters of a user's id: what OpenID Connect allows a `sub`. */
const MAX_SUB = 255;

/** What the handlers need to know of a `Bearer` token, as strings; `null` = not to be let in. */
export async function verifyToken(verify: TokenVerifier, header: string): Promise<Required<Claims> | null> {
  const [, token] = /^Bearer +([\w.-]+)$/i.exec(header.length > MAX_HEADER ? "" : header.trim()) ?? [];
  const payload = token ? await verify(token) : null;
  if (!payload) return null;
  const { sub, exp } = payload;
  if (typeof sub !== "string" || sub === "" || sub.length > MAX_SUB || typeof exp !== "number") return null;
  const groups = payload["cognito:groups"] ?? payload.groups;
  const scope = payload.scope;
  // Cognito puts attributes of its own users behind a prefix.
  const plan = payload.plan ?? payload["custom:plan"];
  return {
    sub,
    exp: String(exp),
    groups: Array.isArray(groups) ? groups.join(",") : typeof groups === "string" ? groups : "",
    scope: Array.isArray(scope) ? scope.join(" ") : typeof scope === "string" ? scope : "",
    plan: typeof plan === "string" ? plan : "",
  };
}
