/** The payload of a token whose signature, issuer, audience and times are right; `null` for any other. */
export type TokenVerifier = (token: string) => Promise<Record<string, unknown> | null>;

/** Characters of an Authorization header; API Gateway takes 10 KB of headers at most. */
const MAX_HEADER = 8192;

/** Characters of a user's id: what OpenID Connect allows a `sub`. */
const MAX_SUB = 255;

/**
 * What the handlers need to know of a token, once it is verified. Groups and scopes are decided on here, as API Gateway passes no
 * lists on.
 */
interface Token {
  sub: string;
  /** Epoch seconds. */
  exp: number;
  admin: boolean;
  act_as: boolean;
  /** Empty = the token names none. */
  plan: string;
}

/** Verifies an Authorization header with a `Bearer` token; `null` = not to be let in. */
export async function verifyToken(verify: TokenVerifier, header: string): Promise<Token | null> {
  const [, token] = /^Bearer +([\w.-]+)$/i.exec(header.length > MAX_HEADER ? "" : header.trim()) ?? [];
  const payload = token ? await verify(token) : null;
  if (!payload) return null;
  const { sub, exp } = payload;
  if (typeof sub !== "string" || sub === "" || sub.length > MAX_SUB || typeof exp !== "number") return null;
  // Cognito puts attributes of its own users behind a prefix.
  const plan = payload.plan ?? payload["custom:plan"];
  return {
    sub,
    exp,
    admin: namesIn(payload["cognito:groups"] ?? payload.groups).includes("admin"),
    act_as: scopesIn(payload.scope).some((scope) => scope === "act-as" || scope.endsWith("/act-as")),
    plan: typeof plan === "string" ? plan : "",
  };
}

/** The names in a claim: a text is one name, a list may hold several. Anything inside of the list but text is no name. */
function namesIn(claim: unknown): string[] {
  const list = Array.isArray(claim) ? claim : [claim];
  return list.filter((name) => typeof name === "string");
}

/** A text holds scopes separated by spaces (RFC 8693, section 4.2); in a list each entry is one scope. */
const scopesIn = (claim: unknown): string[] => namesIn(typeof claim === "string" ? claim.split(" ") : claim);
