import { createServer } from "node:http";
import { type Listening, listen } from "../listen.ts";
import { anyPort, type IssuerKey, issuerUrl, saveIssuerKey } from "./key.ts";

/**
 * Serves the discovery document and the public key of the local issuer. If its port is in use, it moves to another one and warns that
 * earlier tokens are invalid.
 */
export async function startIssuer(
  dataDirectory: string,
  issuer: IssuerKey,
  warn: (message: string) => void,
): Promise<Listening & { issuer: IssuerKey }> {
  let current = issuer;
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      const listening = await listen(createServer(answer(current)), current.port);
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
  throw new Error("no free port found for the token issuer");
}

function answer(issuer: IssuerKey): Parameters<typeof createServer>[1] {
  const url = issuerUrl(issuer);
  const { kty, n, e, kid } = issuer.privateKey;
  const documents: Record<string, object> = {
    "/.well-known/openid-configuration": {
      issuer: url,
      jwks_uri: `${url}/.well-known/jwks.json`,
      id_token_signing_alg_values_supported: ["RS256"],
      response_types_supported: ["token"],
      subject_types_supported: ["public"],
    },
    "/.well-known/jwks.json": { keys: [{ kty, n, e, kid, alg: "RS256", use: "sig" }] },
  };
  return (request, response) => {
    const document = documents[request.url?.split("?")[0] ?? ""];
    response.writeHead(document ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(document ?? { error: "not_found" }));
  };
}
