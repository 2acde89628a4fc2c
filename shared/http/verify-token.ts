/** Returns the payload of a token if its signature, issuer, audience and times are valid, otherwise `null`. */
export type TokenVerifier = (token: string) => Promise<Record<string, unknown> | null>;

/** Maximum characters of an Authorization header. API Gateway accepts 10 KB of headers. */
const MAX_HEADER = 8192;

/** Maximum characters of a user's id, because OpenID Connect allows as many in a `sub`. */
export const MAX_USER = 255;

/**
 * The facts in a verified token that the handlers need. Groups and scopes are reduced to booleans here, because API Gateway
 * passes no lists to the handlers.
 */
interface Token {
  sub: string;
  /** Epoch seconds. */
  exp: number;
  admin: boolean;
  act_as: boolean;
  /** Empty = the token names no plan. */
  plan: string;
}

/** Verifies an Authorization header with a `Bearer` token. Returns `null` if the caller must be refused. */
export async function verifyToken(verify: TokenVerifier, header: string): Promise<Token | null> {
  const [, token] = /^Bearer +([\w.-]+)$/i.exec(header.length > MAX_HEADER ? "" : header.trim()) ?? [];
  const payload = token ? await verify(token) : null;
  if (!payload) return null;
  const { sub, exp } = payload;
  if (typeof sub !== "string" || sub === "" || sub.length > MAX_USER || typeof exp !== "number") return null;
  // Cognito adds a prefix to the attributes of its users.
  const plan = payload.plan ?? payload["custom:plan"];
  return {
    sub,
    exp,
    admin: namesIn(payload["cognito:groups"] ?? payload.groups).includes("admin"),
    act_as: scopesIn(payload.scope).some((scope) => scope === "act-as" || scope.endsWith("/act-as")),
    plan: typeof plan === "string" ? plan : "",
  };
}

/** Returns the names in a claim: a string is one name, a list has several. Other values are ignored. */
function namesIn(claim: unknown): string[] {
  const list = Array.isArray(claim) ? claim : [claim];
  return list.filter((name) => typeof name === "string");
}

/** In a string, spaces separate the scopes (RFC 8693, section 4.2). In a list, each entry is one scope. */
const scopesIn = (claim: unknown): string[] => namesIn(typeof claim === "string" ? claim.split(" ") : claim);
