import { createHash, randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { importJWK, jwtVerify, SignJWT } from "jose";
import { type IssuerKey, issuerUrl, LOCAL_CLIENT_ID } from "./issuer-key.ts";
import { type Reply, signInPage } from "./sign-in-page.ts";
import { signToken } from "./sign-token.ts";

/** Milliseconds for which a code can be exchanged. */
const CODE_LIFETIME = 60_000;
/** Seconds of a refresh token. */
const REFRESH_LIFETIME = 86_400;
const COOKIE = "memocha-issuer";

interface Person {
  user: string;
  admin: boolean;
}

interface Code extends Person {
  clientId: string;
  redirectUri: string;
  challenge: string;
  nonce: string | null;
  until: number;
}

/**
 * The endpoints with which a page signs in at the local issuer: authorization code flow with PKCE (RFC 7636), refresh tokens and
 * sign-out. A developer chooses who to be, without a password. A cookie remembers the choice, as the session of a real issuer does.
 */
export function createSignIn(issuer: IssuerKey, tokenSeconds: number) {
  const codes = new Map<string, Code>();

  async function authorize(request: IncomingMessage, query: URLSearchParams): Promise<Reply> {
    const problem = invalid(query);
    if (problem) return { status: 400, headers: { "content-type": "text/plain" }, body: problem };
    if (request.method !== "POST") {
      const known = query.get("prompt") === "login" ? undefined : rememberedIn(request);
      return known ? giveCode(query, known) : signInPage(query);
    }
    const form = new URLSearchParams(await text(request));
    const user = form.get("user")?.trim() || form.get("name")?.trim();
    if (!user) return signInPage(query);
    return giveCode(query, { user, admin: user === "admin" || form.has("admin") });
  }

  function giveCode(query: URLSearchParams, person: Person): Reply {
    const code = randomUUID();
    const redirectUri = query.get("redirect_uri") ?? "";
    codes.set(code, {
      ...person,
      clientId: query.get("client_id") ?? "",
      redirectUri,
      challenge: query.get("code_challenge") ?? "",
      nonce: query.get("nonce"),
      until: performance.now() + CODE_LIFETIME,
    });
    const target = new URL(redirectUri);
    target.searchParams.set("code", code);
    const state = query.get("state");
    if (state !== null) target.searchParams.set("state", state);
    return redirect(
      target.href,
      `${COOKIE}=${encodeURIComponent(JSON.stringify(person))}; HttpOnly; SameSite=Lax; Path=/`,
    );
  }

  async function token(request: IncomingMessage): Promise<Reply> {
    const form = new URLSearchParams(await text(request));
    if (form.get("grant_type") === "refresh_token") {
      const person = await readRefreshToken(issuer, form.get("refresh_token") ?? "");
      return person ? json(200, await tokensFor(person, null)) : json(400, { error: "invalid_grant" });
    }
    if (form.get("grant_type") !== "authorization_code") return json(400, { error: "unsupported_grant_type" });
    const code = codes.get(form.get("code") ?? "");
    codes.delete(form.get("code") ?? "");
    const hash = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    const isRight =
      code &&
      code.until > performance.now() &&
      code.challenge === hash &&
      code.redirectUri === form.get("redirect_uri") &&
      code.clientId === form.get("client_id");
    return isRight ? json(200, await tokensFor(code, code.nonce)) : json(400, { error: "invalid_grant" });
  }

  async function tokensFor({ user, admin }: Person, nonce: string | null): Promise<object> {
    const access = await signToken(issuer, { user, admin, expiresIn: tokenSeconds });
    const id = { ...(nonce && { nonce }), name: user, token_use: "id" };
    return {
      access_token: access,
      id_token: await sign(issuer, user, id, LOCAL_CLIENT_ID, tokenSeconds),
      refresh_token: await sign(issuer, user, { admin }, refreshAudience(issuer), REFRESH_LIFETIME),
      token_type: "Bearer",
      expires_in: tokenSeconds,
    };
  }

  function logout(query: URLSearchParams): Reply {
    const target = query.get("post_logout_redirect_uri") ?? query.get("logout_uri") ?? "";
    const forget = `${COOKIE}=; Max-Age=0; Path=/`;
    if (isLocal(target)) return redirect(target, forget);
    return { status: 200, headers: { "content-type": "text/plain", "set-cookie": forget }, body: "Signed out." };
  }

  return { authorize, token, logout };
}

/** Why an authorization request cannot be served. */
function invalid(query: URLSearchParams): string | undefined {
  if (query.get("response_type") !== "code") return "response_type must be code";
  if (!query.get("client_id")) return "client_id is missing";
  if (query.get("code_challenge_method") !== "S256" || !query.get("code_challenge")) {
    return "code_challenge is missing, or code_challenge_method is not S256";
  }
  return isLocal(query.get("redirect_uri") ?? "") ? undefined : "redirect_uri must be a page of this machine";
}

/** Codes and sign-outs go to pages of this machine only. */
function isLocal(url: string): boolean {
  const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: "", hostname: "" };
  return /^https?:$/.test(protocol) && ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
}

function rememberedIn({ headers }: IncomingMessage): Person | undefined {
  const [, value = ""] = new RegExp(`(?:^|; )${COOKIE}=([^;]+)`).exec(headers.cookie ?? "") ?? [];
  try {
    const { user, admin } = JSON.parse(decodeURIComponent(value)) as Person;
    return typeof user === "string" && user !== "" ? { user, admin: admin === true } : undefined;
  } catch {
    return undefined;
  }
}

/** The audience of refresh tokens. The API accepts tokens for its clients only, so a refresh token is not an access token. */
const refreshAudience = (issuer: IssuerKey): string => `${issuerUrl(issuer)}/token`;

async function sign(issuer: IssuerKey, user: string, claims: object, audience: string, seconds: number) {
  return await new SignJWT({ ...claims })
    .setProtectedHeader({ alg: "RS256", kid: issuer.privateKey.kid })
    .setSubject(user)
    .setIssuer(issuerUrl(issuer))
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(`${seconds}s`)
    .sign(await importJWK(issuer.privateKey, "RS256"));
}

async function readRefreshToken(issuer: IssuerKey, token: string): Promise<Person | undefined> {
  const { kty, n, e } = issuer.privateKey;
  const key = await importJWK({ kty, n, e } as IssuerKey["privateKey"], "RS256");
  try {
    const { payload } = await jwtVerify(token, key, { audience: refreshAudience(issuer) });
    return { user: payload.sub ?? "", admin: payload.admin === true };
  } catch {
    return undefined;
  }
}

const redirect = (location: string, cookie: string): Reply => ({
  status: 302,
  headers: { location, "set-cookie": cookie },
  body: "",
});

const json = (status: number, body: object): Reply => ({
  status,
  headers: { "content-type": "application/json", "cache-control": "no-store" },
  body: JSON.stringify(body),
});
