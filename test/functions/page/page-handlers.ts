import { gzipSync } from "node:zlib";
import { createGetAsset } from "../../../functions/page/asset.ts";
import { createGetPage } from "../../../functions/page/get.ts";
import type { HttpDependencies } from "../../../shared/http/chain.ts";

export const SCRIPT = 'console.log("page");';
const ISSUER = "https://login.example.com/tenant";

/** The functions of a page that consists of one script. */
export function pageHandlers(http: HttpDependencies) {
  const html = '<meta name="memocha" content="%settings%"><script src="assets/main-1.js"></script>';
  const settings = { issuer: ISSUER, clientId: 'the "page"', origins: ["https://files.example.com"] };
  return {
    getPage: createGetPage({ ...http, html, settings }),
    getAsset: createGetAsset({
      ...http,
      read: async (file) => (/^(main|icon)-1\./.test(file) ? gzipSync(SCRIPT) : undefined),
    }),
  };
}
