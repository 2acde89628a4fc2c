import { createHmac } from "node:crypto";
import { createServer, type RequestListener } from "node:http";
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Listening, listen } from "../../../infra/local/listen.ts";
import { createOidcVerifier } from "../../../shared/http/verify-token.oidc.ts";

const AUDIENCE = "memocha";
const TIMEOUT = 300;

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;
let keys: Keys;
let others: Keys;
let unusual: Keys;
let issuer: Listening;
/** The answer of a broken issuer, by path. */
let broken: { path: string; answer: RequestListener } | undefined;

beforeAll(async () => {
  [keys, others, unusual] = (await Promise.all(["RS256", "RS256", "Ed25519"].map((alg) => generateKeyPair(alg)))) as [
    Keys,
    Keys,
    Keys,
  ];
  const published = [
    { ...(await exportJWK(keys.publicKey)), kid: "one", alg: "RS256", use: "sig" },
    { ...(await exportJWK(unusual.publicKey)), kid: "unusual", alg: "Ed25519", use: "sig" },
  ];
  const server = createServer((request, response) => {
    if (broken && broken.path === request.url) return broken.answer(request, response);
    response.setHeader("content-type", "application/json");
    const isDiscovery = request.url === "/.well-known/openid-configuration";
    response.end(JSON.stringify(isDiscovery ? { jwks_uri: `${issuer.url}/keys` } : { keys: published }));
  });
  issuer = await listen(server, 0);
});
beforeEach(() => {
  broken = undefined;
});
afterAll(() => issuer.close());

const now = () => Math.floor(Date.now() / 1000);

/** Creates a valid token, except for the given claims. `undefined` removes a claim. */
function sign(claims: Record<string, unknown> = {}, { key = keys.privateKey, alg = "RS256", kid = "one" } = {}) {
  const payload = { iss: issuer.url, sub: "ann", aud: AUDIENCE, exp: now() + 60, ...claims };
  const given = Object.entries(payload).filter(([, value]) => value !== undefined);
  return new SignJWT(Object.fromEntries(given) as JWTPayload).setProtectedHeader({ alg, kid }).sign(key);
}

const verifier = (audience = AUDIENCE) => createOidcVerifier(issuer.url, audience, TIMEOUT);

describe("a token", () => {
  it("that is valid is accepted with its claims", async () => {
    expect(await verifier()(await sign({ groups: ["a"] }))).toMatchObject({ sub: "ann", groups: ["a"] });
  });

  it.each<[string, Record<string, unknown>]>([
    ["has expired", { exp: now() - 60 }],
    ["is not valid yet", { nbf: now() + 60 }],
    ["never expires", { exp: undefined }],
    ["says not who it is of", { sub: undefined }],
    ["is of another issuer", { iss: "https://issuer.example.com" }],
    ["is of no issuer", { iss: undefined }],
  ])("that %s is refused", async (_what, claims) => {
    expect(await verifier()(await sign(claims))).toBeNull();
  });

  it("that another key signed is refused, under the issuer's key id and under its own", async () => {
    const key = others.privateKey;
    expect(await verifier()(await sign({}, { key }))).toBeNull();
    expect(await verifier()(await sign({}, { key, kid: "two" }))).toBeNull();
  });

  it("that is signed with the public key as a shared secret, or not at all, is refused", async () => {
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const payload = encode({ iss: issuer.url, sub: "ann", aud: AUDIENCE, exp: now() + 60 });
    const shared = `${encode({ alg: "HS256", kid: "one" })}.${payload}`;
    const secret = await exportSPKI(keys.publicKey);
    expect(await verifier()(`${shared}.${createHmac("sha256", secret).update(shared).digest("base64url")}`)).toBeNull();
    expect(await verifier()(`${encode({ alg: "none" })}.${payload}.`)).toBeNull();
  });

  it("with an algorithm that is not accepted is refused, also with the issuer's key", async () => {
    expect(await verifier()(await sign({}, { key: unusual.privateKey, alg: "Ed25519", kid: "unusual" }))).toBeNull();
  });

  it.each(["", "x", "a.b.c", "..", "e30.e30.e30"])("that is not a token is refused: %j", async (token) => {
    expect(await verifier()(token)).toBeNull();
  });

  it("that has expired is accepted for the seconds by which clocks may differ", async () => {
    expect(await verifier()(await sign({ exp: now() - 2 }))).not.toBeNull();
  });
});

describe("the audience", () => {
  it.each<[string, Record<string, unknown>]>([
    ["aud", { aud: AUDIENCE }],
    ["one of aud", { aud: ["other", AUDIENCE] }],
    ["client_id, as in Cognito's access tokens", { aud: undefined, client_id: AUDIENCE }],
  ])("may be %s", async (_where, claims) => {
    expect(await verifier()(await sign(claims))).not.toBeNull();
  });

  it.each<[string, Record<string, unknown>]>([
    ["another application", { aud: "other" }],
    ["other applications", { aud: ["other", "memocha-2"], client_id: "third" }],
    ["nobody", { aud: undefined }],
    ["an empty name", { aud: "", client_id: "" }],
    ["a list of lists", { aud: undefined, client_id: [[AUDIENCE]] }],
  ])("keeps out a token for %s", async (_whom, claims) => {
    expect(await verifier()(await sign(claims))).toBeNull();
  });

  it("must equal one of several", async () => {
    const verify = verifier("web,backend");
    expect(await verify(await sign({ aud: "backend" }))).not.toBeNull();
    for (const aud of ["web,backend", "back", "", "webbackend"]) expect(await verify(await sign({ aud }))).toBeNull();
  });

  it("is not checked if the configuration has none", async () => {
    expect(await verifier("")(await sign({ aud: "anybody" }))).not.toBeNull();
  });
});

describe("an issuer that fails", () => {
  const answers: Record<string, RequestListener> = {
    "answers 500": (_request, response) => void response.writeHead(500).end(),
    "answers 503": (_request, response) => void response.writeHead(503).end(),
    "answers 429": (_request, response) => void response.writeHead(429).end(),
    "answers 404": (_request, response) => void response.writeHead(404).end(),
    "answers with a page": (_request, response) => void response.end("<html></html>"),
    "answers with other JSON": (_request, response) => void response.end('{"error":"busy"}'),
    "closes the connection": (request) => void request.socket.destroy(),
    "does not answer": () => undefined,
  };
  const cases = ["/.well-known/openid-configuration", "/keys"].flatMap((path) =>
    Object.entries(answers).map(([what, answer]) => [path, what, answer] as const),
  );

  it.each(cases)("leaves the token undecided: %s %s", async (path, _what, answer) => {
    const [verify, right] = [verifier(), await sign()];
    const wrong = await sign({}, { key: others.privateKey });
    broken = { path, answer };
    for (const token of [right, wrong]) {
      await expect(verify(token)).rejects.toMatchObject({ code: "unavailable", retryAfter: 5 });
    }
    broken = undefined;
    expect(await verify(right)).toMatchObject({ sub: "ann" });
    expect(await verify(wrong)).toBeNull();
  });

  it("that cannot be reached leaves the token undecided", async () => {
    const verify = createOidcVerifier("http://127.0.0.1:9", AUDIENCE, TIMEOUT);
    await expect(verify(await sign())).rejects.toMatchObject({ code: "unavailable" });
  });

  it("does not matter while its keys are cached", async () => {
    const verify = verifier();
    const token = await sign();
    await verify(token);
    broken = { path: "/keys", answer: answers["answers 503"]! };
    expect(await verify(token)).not.toBeNull();
  });
});
