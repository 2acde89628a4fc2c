import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import * as z from "zod";
import { LOOPBACK } from "../listen.ts";
import { readStoredJson } from "../read-stored.ts";

/** The `aud` and `client_id` of local tokens, and the id of the template's user pool client. */
export const LOCAL_CLIENT_ID = "memocha-local";

/**
 * The local OpenID Connect issuer. The port is stored with the key, because the `iss` of a token must be the URL of the keys. A token
 * stays valid across restarts while this port is free. `--port`, the port of the API, does not matter.
 */
export interface IssuerKey {
  port: number;
  privateKey: JWK & { kid: string };
}

const stored = z.object({ port: z.int(), privateKey: z.looseObject({ kid: z.string(), kty: z.string() }) });

/** The issuer's URL: the `iss` of its tokens. */
export function issuerUrl({ port }: Pick<IssuerKey, "port">): string {
  return `http://${LOOPBACK}:${port}`;
}

/** Reads the issuer of a data directory, or creates one. Only the owner can read the file. */
export async function loadIssuerKey(dataDirectory: string): Promise<IssuerKey> {
  const file = path.join(dataDirectory, "issuer.json");
  const remedy = "Delete it: the host creates a new key, and earlier tokens become invalid.";
  const known = readStoredJson(file, remedy, stored);
  if (known) return known;
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const jwk = await exportJWK(privateKey);
  const issuer: IssuerKey = { port: anyPort(), privateKey: { ...jwk, kid: await calculateJwkThumbprint(jwk) } };
  saveIssuerKey(dataDirectory, issuer);
  return issuer;
}

export function saveIssuerKey(dataDirectory: string, issuer: IssuerKey): void {
  mkdirSync(dataDirectory, { recursive: true });
  const file = path.join(dataDirectory, "issuer.json");
  writeFileSync(`${file}.new`, JSON.stringify(issuer), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** A port below the range of outgoing connections, so that it is likely free after a restart too. */
export function anyPort(): number {
  return 20_000 + Math.floor(Math.random() * 12_000);
}
