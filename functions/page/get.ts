import { readFileSync } from "node:fs";
import path from "node:path";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { webOperations } from "../../shared/http/operations/web-operations.ts";
import { createStreamHandler } from "../../shared/http/stream-handler.ts";
import { type PageSettings, pageHeaders, renderPage } from "../../shared/page/page.ts";
import { lazyStreamHandler, openHttp } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  /** The bundled `index.html`. */
  html: string;
  settings: PageSettings;
}

/** GET / */
export function createGetPage(deps: Dependencies) {
  const page = renderPage(deps.html, deps.settings);
  const headers = pageHeaders(deps.settings);
  return createStreamHandler(webOperations.getPage, deps, async ({ path }) => {
    // Redirect a stage's URL without a slash at its end, because the page's relative URLs need the slash.
    if (!path.endsWith("/")) return { status: 308, headers: { location: `${path.split("/").at(-1)}/` } };
    return { status: 200, headers, stream: stream(page), done: Promise.resolve() };
  });
}

async function* stream(page: string): AsyncGenerator<string> {
  yield page;
}

export const handler = lazyStreamHandler((config, executionMode) =>
  createGetPage({
    ...openHttp(config),
    executionMode,
    html: readFileSync(path.join(import.meta.dirname, "index.html"), "utf8"),
    settings: {
      issuer: config.OIDC_ISSUER,
      clientId: config.PAGE_CLIENT_ID,
      origins: [...config.PAGE_ORIGINS, ...(config.AWS_ENDPOINT_URL_S3 ? [config.AWS_ENDPOINT_URL_S3] : [])],
    },
  }),
);
