import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import { createRemoteJWKSet, decodeJwt, jwtVerify } from "jose";
import { afterEach, expect, test } from "vitest";
import { issuerUrl, loadIssuerKey } from "../../../../infra/local/issuer/issuer-key.ts";
import { signToken } from "../../../../infra/local/issuer/sign-token.ts";
import { startIssuer } from "../../../../infra/local/issuer/start-issuer.ts";
import { temporaryDirectory } from "../fixture-assembly.ts";

const run = promisify(execFile);
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function directory(): string {
  const made = temporaryDirectory();
  cleanups.push(made.remove);
  return made.directory;
}

/** Starts the issuer of a data directory, as the host does. */
async function start(data: string, warn: (text: string) => void = () => {}) {
  const started = await startIssuer(data, await loadIssuerKey(data), warn);
  cleanups.push(() => started.close());
  return started;
}

/** Verifies a token like an authorizer that knows only the issuer's URL. */
async function verify(token: string, issuer: string) {
  const response = await fetch(`${issuer}/.well-known/openid-configuration`);
  const discovery = (await response.json()) as { issuer: string; jwks_uri: string };
  expect(discovery.issuer).toBe(issuer);
  const keys = createRemoteJWKSet(new URL(discovery.jwks_uri));
  return (await jwtVerify(token, keys, { issuer, audience: "memocha-local" })).payload;
}

const cli = (...args: string[]) => run(process.execPath, [path.resolve("infra/cli/token/token.ts"), ...args]);

test("a token is verified by discovery alone and has the requested claims", async () => {
  const data = directory();
  const { issuer } = await start(data);
  const token = await signToken(issuer, { user: "alice", admin: true, actAs: true, expiresIn: 60 });
  const claims = await verify(token, issuerUrl(issuer));
  expect(claims).toMatchObject({
    sub: "alice",
    client_id: "memocha-local",
    token_use: "access",
    scope: "openid act-as",
    "cognito:groups": ["admin"],
  });
  expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(60);
});

test("a token stays valid after a restart, whatever ports the host uses", async () => {
  const data = directory();
  const first = await start(data);
  const token = await signToken(first.issuer, { user: "alice" });
  await first.close();
  const second = await start(data);
  expect(second.url).toBe(first.url);
  expect((await verify(token, second.url)).sub).toBe("alice");
});

test("an issuer whose port is in use moves to another port with a warning, and stays there", async () => {
  const data = directory();
  const key = await loadIssuerKey(data);
  const occupant = createServer().listen(key.port, "127.0.0.1");
  await new Promise((resolve) => occupant.once("listening", resolve));
  cleanups.push(() => void occupant.close());
  const warnings: string[] = [];
  const moved = await start(data, (text) => void warnings.push(text));
  expect(warnings.join()).toContain("earlier tokens are invalid");
  expect(moved.issuer.port).not.toBe(key.port);
  expect((await loadIssuerKey(data)).port).toBe(moved.issuer.port);
});

test("only the owner can read the issuer's key", async () => {
  const data = directory();
  await loadIssuerKey(data);
  expect(statSync(path.join(data, "issuer.json")).mode & 0o777).toBe(0o600);
});

test("the token command prints only a token, which the running issuer accepts", async () => {
  const data = directory();
  const { issuer } = await start(data);
  const { stdout } = await cli("--user", "bob", "--act-as", "--expires", "90s", "--data", data);
  const claims = await verify(stdout.trim(), issuerUrl(issuer));
  expect(claims).toMatchObject({ sub: "bob", scope: "openid act-as" });
  expect(claims).not.toHaveProperty("cognito:groups");
  expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(90);
});

test("the token command works before the first start of the host", async () => {
  const data = path.join(directory(), "new");
  const { stdout } = await cli("--user", "carol", "--data", data);
  const { url } = await start(data);
  expect(decodeJwt(stdout.trim()).iss).toBe(url);
});

test.each([
  [[], "--user is missing"],
  [["--user", "x", "--expires", "soon"], '--expires must be like 90s, 30m, 1h or 7d, not "soon"'],
  [["--user", "x", "--nonsense"], "Unknown option '--nonsense'"],
])("the command refuses %j", async (args, message) => {
  const failed = await cli(...args, "--data", directory()).catch((error: { code: number; stderr: string }) => error);
  expect(failed).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
});
