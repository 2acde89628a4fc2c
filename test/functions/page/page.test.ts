import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, startApi } from "../../support/start-api.ts";
import { pageHandlers, SCRIPT } from "./page-handlers.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi({ others: (_world, http) => pageHandlers(http) });
});
afterAll(() => api.close());
const get = (url: string, headers = {}) => api.get(url, { user: null, headers });

describe("GET /", () => {
  it("gives the page without a token, with the issuer and the client in an attribute", async () => {
    const { status, headers, text } = await get("/");
    expect([status, headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
    expect(text).toContain(
      'content="{&quot;issuer&quot;:&quot;https://login.example.com/tenant&quot;,&quot;client_id&quot;:&quot;the \\&quot;page\\&quot;&quot;}"',
    );
  });

  it("redirects a URL without a slash at its end, because the page's URLs are relative", async () => {
    const { status, headers } = await api.get("/", { user: null, stagePath: "/dev" });
    expect([status, headers.location]).toEqual([308, "dev/"]);
  });

  it("forbids inline scripts and styles, frames, and other origins than the issuer's and those of the deployment", async () => {
    const { headers } = await get("/");
    const policy = headers["content-security-policy"];
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).toContain("connect-src 'self' https://login.example.com https://files.example.com;");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
    expect(headers).toMatchObject({
      "cache-control": "no-cache",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    });
  });
});

describe("GET /assets/{file}", () => {
  it("serves files that browsers may cache forever", async () => {
    const { status, headers, text } = await get("/assets/main-1.js");
    expect([status, text]).toEqual([200, SCRIPT]);
    expect(headers).toMatchObject({
      "content-type": "text/javascript; charset=utf-8",
      "cache-control": "public, max-age=31536000, immutable",
      "x-content-type-options": "nosniff",
    });
    expect(headers).not.toHaveProperty("content-encoding");
  });

  it("compresses files for clients that accept gzip", async () => {
    const { headers, text } = await get("/assets/main-1.js", { "accept-encoding": "gzip, br" });
    expect(headers["content-encoding"]).toBe("gzip");
    expect(text).not.toContain("console");
  });

  it.each(["main-OTHER.js", "main-1.js.gz", "..%2fpage-get%2findex.html", "main-1.html"])(
    "answers 404 for a file that does not belong to the page: %s",
    async (file) => {
      expect((await get(`/assets/${file}`)).status).toBe(404);
    },
  );
});
