import * as oauth from "oauth4webapi";
import { baseUrl, settings } from "./settings.ts";

/** The person who is signed in. Tokens stay in memory. */
export interface Identity {
  /** The token's `sub`. */
  user: string;
  name: string;
  isAdmin: boolean;
  /** Returns a token that is valid for some time. Refreshes it when it expires soon, or always with `renew`. */
  token(renew?: boolean): Promise<string>;
  /** Signs out, also at the issuer. Leaves the page. */
  signOut(): Promise<void>;
}

/** A sign-in that is not finished yet. */
interface Pending {
  state: string;
  verifier: string;
  /** The view to show after the sign-in. */
  hash: string;
}

const PENDING = "sign-in";
const SIGNED_OUT = "signed-out";
/** Seconds before a token's end at which it is refreshed, because a request may take long to arrive. */
const MARGIN = 60;

const client: oauth.Client = { client_id: settings.client_id };
/** The local issuer has no TLS. */
const options = { [oauth.allowInsecureRequests]: settings.issuer.startsWith("http:") };

let issuer: Promise<oauth.AuthorizationServer> | undefined;

function discover(): Promise<oauth.AuthorizationServer> {
  const url = new URL(settings.issuer);
  issuer ??= oauth
    .discoveryRequest(url, options)
    .then((response) => oauth.processDiscoveryResponse(url, response))
    .catch((error: unknown) => {
      issuer = undefined;
      throw error;
    });
  return issuer;
}

export const hasSignedOut = (): boolean => sessionStorage.getItem(SIGNED_OUT) !== null;

/** Opens the issuer's page, which redirects people to this view. */
export async function leaveToSignIn(): Promise<never> {
  const server = await discover();
  const pending: Pending = {
    state: oauth.generateRandomState(),
    verifier: oauth.generateRandomCodeVerifier(),
    hash: location.hash,
  };
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  sessionStorage.removeItem(SIGNED_OUT);
  const url = new URL(server.authorization_endpoint ?? "");
  const parameters = {
    response_type: "code",
    client_id: settings.client_id,
    redirect_uri: baseUrl,
    scope: "openid email",
    state: pending.state,
    code_challenge: await oauth.calculatePKCECodeChallenge(pending.verifier),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  location.assign(url);
  return await new Promise(() => {});
}

/** Finishes a sign-in whose answer is in the URL, and restores the view. Returns undefined when the URL has no answer. */
export async function finishSignIn(): Promise<Identity | undefined> {
  const url = new URL(location.href);
  const stored = sessionStorage.getItem(PENDING);
  if (!stored || !(url.searchParams.has("code") || url.searchParams.has("error"))) return undefined;
  const { state, verifier, hash } = JSON.parse(stored) as Pending;
  sessionStorage.removeItem(PENDING);
  history.replaceState(null, "", baseUrl + hash);
  const server = await discover();
  const parameters = oauth.validateAuthResponse(server, client, url, state);
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    parameters,
    baseUrl,
    verifier,
    options,
  );
  const answer = await oauth.processAuthorizationCodeResponse(server, client, response, { requireIdToken: true });
  return identify(server, answer);
}

function identify(server: oauth.AuthorizationServer, first: oauth.TokenEndpointResponse): Identity {
  const claims = oauth.getValidatedIdTokenClaims(first);
  let current = first;
  let refreshToken = first.refresh_token;
  let refreshAt = refreshTime(first);
  let refreshing: Promise<void> | undefined;
  const groups = claimsOf(first.access_token);

  async function refresh(): Promise<void> {
    if (refreshToken === undefined) return await leaveToSignIn();
    const response = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), refreshToken, options);
    try {
      current = await oauth.processRefreshTokenResponse(server, client, response);
    } catch (error) {
      // The issuer no longer accepts the refresh token.
      if (error instanceof oauth.ResponseBodyError) await leaveToSignIn();
      throw error;
    }
    refreshToken = current.refresh_token ?? refreshToken;
    refreshAt = refreshTime(current);
  }

  return {
    user: claims?.sub ?? "",
    name: String(claims?.email ?? claims?.name ?? claims?.preferred_username ?? claims?.sub ?? ""),
    isAdmin: [groups["cognito:groups"] ?? groups.groups].flat().includes("admin"),
    async token(renew = false) {
      if (renew || Date.now() >= refreshAt) {
        refreshing ??= refresh().finally(() => {
          refreshing = undefined;
        });
        await refreshing;
      }
      return current.access_token;
    },
    async signOut() {
      sessionStorage.setItem(SIGNED_OUT, "yes");
      if (refreshToken !== undefined && server.revocation_endpoint) {
        await oauth.revocationRequest(server, client, oauth.None(), refreshToken, options).catch(() => {});
      }
      if (!server.end_session_endpoint) return location.reload();
      const url = new URL(server.end_session_endpoint);
      url.searchParams.set("client_id", settings.client_id);
      if (first.id_token) url.searchParams.set("id_token_hint", first.id_token);
      url.searchParams.set("post_logout_redirect_uri", baseUrl);
      // Cognito has its own name for this parameter.
      url.searchParams.set("logout_uri", baseUrl);
      location.assign(url);
    },
  };
}

/** Returns the epoch milliseconds at which a token is refreshed. If it is valid for less than two margins, this is half of its lifetime. */
function refreshTime({ expires_in = 3600 }: oauth.TokenEndpointResponse): number {
  return Date.now() + Math.max(expires_in - MARGIN, expires_in / 2) * 1000;
}

/** Returns the claims of a token without verifying it. The page uses them only to decide which views to show. */
function claimsOf(token: string): Record<string, unknown> {
  try {
    const payload = token.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? "";
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(payload), (c) => c.charCodeAt(0))));
  } catch {
    return {};
  }
}
