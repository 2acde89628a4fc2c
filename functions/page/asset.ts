import { readFile } from "node:fs/promises";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { AppError } from "../../shared/errors.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { webOperations } from "../../shared/http/operations/web-operations.ts";
import { createStreamHandler } from "../../shared/http/stream-handler.ts";
import { lazyStreamHandler, openHttp } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  /** Reads a file of the page, compressed with gzip; undefined = there is none. */
  read(file: string): Promise<Uint8Array | undefined>;
}

/** Lets browsers cache a file for a year, because its name contains a hash of its content. */
const CACHE_CONTROL = "public, max-age=31536000, immutable";

const CONTENT_TYPES: Record<string, string> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** GET /assets/{file}. It streams, because a REST API sends bytes of a function unchanged only in a stream. */
export function createGetAsset(deps: Dependencies) {
  return createStreamHandler(webOperations.getAsset, deps, async ({ params: { file }, header }) => {
    const compressed = await deps.read(file);
    const type = CONTENT_TYPES[path.extname(file)];
    if (!compressed || !type) throw new AppError("not_found", "no such file");
    const takesGzip = /\bgzip\b/.test(header("accept-encoding") ?? "");
    return {
      status: 200,
      headers: {
        "content-type": type,
        "cache-control": CACHE_CONTROL,
        ...(takesGzip && { "content-encoding": "gzip" }),
      },
      stream: once(takesGzip ? compressed : gunzipSync(compressed)),
      done: Promise.resolve(),
    };
  });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export const handler = lazyStreamHandler((config, executionMode) =>
  createGetAsset({
    ...openHttp(config),
    executionMode,
    read: (file) => readFile(path.join(import.meta.dirname, "assets", `${file}.gz`)).catch(() => undefined),
  }),
);
