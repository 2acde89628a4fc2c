import { createHash } from "node:crypto";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadIssuerKey } from "../../../../infra/local/issuer/issuer-key.ts";
import { startIssuer } from "../../../../infra/local/issuer/start-issuer.ts";
import { temporaryDirectory } from "../fixture-assembly.ts";

const REDIRECT = "http://127.0.0.1:3000/";
const VERIFIER = "a-verifier-of-at-least-43-characters-as-rfc-7636-asks";

const { directory, remove } = temporaryDirectory();
let url: string;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ url, close } = await startIssuer(directory, await loadIssuerKey(directory), () => {}));
});
afterAll(async () => {
  await close();
  remove();
});

const challengeOf = (verifier: string) => createHash("sha256").update(verifier).digest("base64url");

const authorizeUrl = (change: Record<string, string> = {}) =>
  `${url}/authorize?${new URLSearchParams({
    response_type: "code",
    client_id: "memocha-local",
    redirect_uri: REDIRECT,
    state: "a-state",
    code_challenge: challengeOf(VERIFIER),
    code_challenge_method: "S256",
    ...change,
  })}`;

/** Chooses who to be. Returns where the issuer sends the browser, and its cookie. */
async function signIn(form: Record<string, string>, change: Record<string, string> = {}) {
  const body = new URLSearchParams(form);
  const response = await fetch(authorizeUrl(change), { method: "POST", body, redirect: "manual" });
  const target = new URL(response.headers.get("location") ?? "about:blank");
  return { response, target, code: target.searchParams.get("code") ?? "", cookie: cookieOf(response) };
}

const cookieOf = (response: Response) => response.headers.get("set-cookie")?.split(";")[0] ?? "";

async function exchange(form: Record<string, string>) {
  const body = new URLSearchParams({
    grant_type: "authorization_code",
    client_id: "memocha-local",
    redirect_uri: REDIRECT,
    code_verifier: VERIFIER,
    ...form,
  });
  const response = await fetch(`${url}/token`, { method: "POST", body });
  return { status: response.status, body: (await response.json()) as Record<string, string> };
}

describe("the sign-in of the local issuer", () => {
  it("gives a code to the page, and tokens for the code and its verifier", async () => {
    const { target, code, response } = await signIn({ name: "ann", admin: "yes" });
    expect(response.status).toBe(302);
    expect(`${target.origin}${target.pathname}`).toBe(REDIRECT);
    expect(target.searchParams.get("state")).toBe("a-state");
    const { status, body } = await exchange({ code });
    expect(status).toBe(200);
    expect(decodeJwt(body.access_token!)).toMatchObject({ sub: "ann", "cognito:groups": ["admin"] });
    expect(decodeJwt(body.id_token!)).toMatchObject({ sub: "ann", aud: "memocha-local", name: "ann" });
  });

  it("exchanges a code once, and only with the verifier, page and client that it was given for", async () => {
    const wrong = [
      { code_verifier: "another" },
      { redirect_uri: "http://127.0.0.1:4000/" },
      { client_id: "other" },
      { code: "none" },
      { grant_type: "password" },
    ];
    for (const change of wrong) {
      const { code } = await signIn({ user: "dev" });
      expect((await exchange({ code, ...change })).status).toBe(400);
      // A failed attempt uses the code up, because it may have been stolen.
      if (!("grant_type" in change) && !("code" in change)) expect((await exchange({ code })).status).toBe(400);
    }
    const { code } = await signIn({ user: "dev" });
    expect((await exchange({ code })).status).toBe(200);
    expect((await exchange({ code })).body).toEqual({ error: "invalid_grant" });
  });

  it.each([
    [{ redirect_uri: "https://evil.example/" }, "redirect_uri must be a page of this machine"],
    [{ redirect_uri: "http://localhost.evil.example/" }, "redirect_uri must be a page of this machine"],
    [{ redirect_uri: "javascript:alert(1)" }, "redirect_uri must be a page of this machine"],
    [{ response_type: "token" }, "response_type must be code"],
    [{ client_id: "" }, "client_id is missing"],
    [{ code_challenge_method: "plain" }, "code_challenge is missing, or code_challenge_method is not S256"],
  ])("refuses a request with %j, also for a user who is signed in", async (change, problem) => {
    const { cookie } = await signIn({ user: "dev" });
    const response = await fetch(authorizeUrl(change), { headers: { cookie }, redirect: "manual" });
    expect([response.status, await response.text()]).toEqual([400, problem]);
  });

  it("escapes the parameters of the request, and allows no script in its page", async () => {
    const response = await fetch(authorizeUrl({ state: '"><script>alert(1)</script>' }));
    expect(await response.text()).not.toContain("<script>");
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
  });

  it("remembers who is signed in until they sign out", async () => {
    const { cookie } = await signIn({ name: "Zoë" });
    const again = await fetch(authorizeUrl(), { headers: { cookie }, redirect: "manual" });
    const code = new URL(again.headers.get("location") ?? "").searchParams.get("code") ?? "";
    expect(decodeJwt((await exchange({ code })).body.access_token!).sub).toBe("Zoë");
    const asked = await fetch(authorizeUrl({ prompt: "login" }), { headers: { cookie }, redirect: "manual" });
    expect([asked.status, await asked.text()]).toEqual([200, expect.stringContaining("Who do you want to be?")]);

    const query = new URLSearchParams({ post_logout_redirect_uri: REDIRECT });
    const out = await fetch(`${url}/logout?${query}`, { headers: { cookie }, redirect: "manual" });
    expect([out.status, out.headers.get("location"), out.headers.get("set-cookie")]).toEqual([
      302,
      REDIRECT,
      expect.stringContaining("Max-Age=0"),
    ]);
    const elsewhere = await fetch(`${url}/logout?post_logout_redirect_uri=https://evil.example/`, {
      redirect: "manual",
    });
    expect(elsewhere.status).toBe(200);
    expect((await fetch(authorizeUrl(), { redirect: "manual" })).status).toBe(200);
  });

  it("renews tokens with a refresh token, which is no access token, and with nothing else", async () => {
    const { code } = await signIn({ user: "admin" });
    const { body } = await exchange({ code });
    expect(decodeJwt(body.refresh_token!).aud).toBe(`${url}/token`);
    const renewed = await exchange({ grant_type: "refresh_token", refresh_token: body.refresh_token! });
    expect(decodeJwt(renewed.body.access_token!)).toMatchObject({ sub: "admin", "cognito:groups": ["admin"] });
    for (const token of [body.access_token!, `${body.refresh_token}x`, ""]) {
      expect((await exchange({ grant_type: "refresh_token", refresh_token: token })).status).toBe(400);
    }
  });
});
