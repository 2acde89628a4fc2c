import { createServer, type IncomingMessage } from "node:http";
import { type Listening, listen } from "../listen.ts";
import { anyPort, type IssuerKey, issuerUrl, saveIssuerKey } from "./issuer-key.ts";
import { createSignIn } from "./sign-in.ts";
import type { Reply } from "./sign-in-page.ts";

/** Seconds for which a token of a signed-in page is valid. */
const TOKEN_SECONDS = 3600;

/**
 * Serves the discovery document, the public key and the sign-in of the local issuer. If its port is in use, it moves to another port, and
 * warns that earlier tokens are invalid.
 */
export async function startIssuer(
  dataDirectory: string,
  issuer: IssuerKey,
  warn: (message: string) => void,
  tokenSeconds = TOKEN_SECONDS,
): Promise<Listening & { issuer: IssuerKey }> {
  let current = issuer;
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      const listening = await listen(createServer(answer(current, tokenSeconds)), current.port);
      if (current !== issuer) {
        saveIssuerKey(dataDirectory, current);
        warn(
          `port ${issuer.port} of the token issuer is in use: it moved to another port, and earlier tokens are invalid`,
        );
      }
      return { ...listening, issuer: current };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      current = { ...issuer, port: anyPort() };
    }
  }
  throw new Error("The token issuer found no free port. Stop programs that use ports from 20000 to 32000.");
}

function answer(issuer: IssuerKey, tokenSeconds: number): Parameters<typeof createServer>[1] {
  const url = issuerUrl(issuer);
  const { kty, n, e, kid } = issuer.privateKey;
  const documents: Record<string, object> = {
    "/.well-known/openid-configuration": {
      issuer: url,
      authorization_endpoint: `${url}/authorize`,
      token_endpoint: `${url}/token`,
      end_session_endpoint: `${url}/logout`,
      jwks_uri: `${url}/.well-known/jwks.json`,
      code_challenge_methods_supported: ["S256"],
      grant_types_supported: ["authorization_code", "refresh_token"],
      id_token_signing_alg_values_supported: ["RS256"],
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      token_endpoint_auth_methods_supported: ["none"],
    },
    "/.well-known/jwks.json": { keys: [{ kty, n, e, kid, alg: "RS256", use: "sig" }] },
  };
  const signIn = createSignIn(issuer, tokenSeconds);

  async function reply(request: IncomingMessage): Promise<Reply> {
    const { pathname, searchParams } = new URL(request.url ?? "/", url);
    if (pathname === "/authorize") return await signIn.authorize(request, searchParams);
    if (pathname === "/token" && request.method === "POST") return await signIn.token(request);
    if (pathname === "/logout") return signIn.logout(searchParams);
    const document = documents[pathname];
    return {
      status: document ? 200 : 404,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(document ?? { error: "not_found" }),
    };
  }

  return async (request, response) => {
    try {
      const { status, headers, body } = await reply(request);
      // Pages read the documents and exchange codes. A code is of use only to the page that has its verifier.
      response.writeHead(status, { ...headers, "access-control-allow-origin": "*" }).end(body);
    } catch {
      response.destroy();
    }
  };
}
