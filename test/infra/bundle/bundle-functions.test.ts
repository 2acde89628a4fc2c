import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { bundleFunctions } from "../../../infra/bundle/bundle-functions.ts";
import type { FunctionSpec } from "../../../infra/function-spec.ts";
import { functions } from "../../../infra/functions.ts";

interface RawSourceMap {
  sources: string[];
  sourceRoot?: string;
}

const TABLES = ["cl100k_base.mjs", "o200k_base.mjs"];
const S3 = "s3-objects.mjs";

/** Functions that read the archive only with clients of their own, which are in their bundle. */
const OWN_S3 = ["jobs-lake", "jobs-housekeeping", "jobs-measure"];

const directory = mkdtempSync(path.join(tmpdir(), "memocha-bundle-"));
const names = Object.entries(functions as Record<string, FunctionSpec>);
const modulesOf = (name: string) => readdirSync(path.join(directory, name)).filter((file) => file.endsWith(".mjs"));

beforeAll(() => bundleFunctions(directory));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("a function's bundle", () => {
  it.each(names)("is at most 1.2 MB: %s", (name) => {
    expect(statSync(path.join(directory, name, "index.mjs")).size).toBeLessThanOrEqual(1_200_000);
  });

  it("has beside it the tokenizers' tables if it asks models, the S3 client and OpenAI's SDK if few requests need them, and nothing else", () => {
    for (const [name, { streams, archive, embeds, chat }] of names) {
      const beside = [
        ...(streams && chat === "ask" ? TABLES : []),
        ...(embeds && chat !== "ask" ? ["embedder.openai.mjs"] : []),
        ...(archive && !OWN_S3.includes(name) ? [S3] : []),
      ];
      expect([name, modulesOf(name)]).toEqual([name, [...beside, "index.mjs"].sort()]);
    }
  });

  it("has a source map whose paths start at the project's root", () => {
    const map = JSON.parse(readFileSync(path.join(directory, "sessions-get", "index.mjs.map"), "utf8")) as RawSourceMap;
    expect(map.sources).toContain("functions/sessions/get.ts");
    expect(map.sources.filter((source) => source.startsWith(".") || path.isAbsolute(source))).toEqual([]);
    expect(map.sourceRoot).toBeUndefined();
  });

  it("can load the S3 client beside it", async () => {
    const server = createServer((request, response) => response.setHeader("etag", `etag of ${request.url}`).end());
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    vi.stubEnv("AWS_ENDPOINT_URL_S3", `http://127.0.0.1:${port}`);
    vi.stubEnv("AWS_REGION", "eu-west-1");
    vi.stubEnv("AWS_ACCESS_KEY_ID", "id");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
    try {
      const { openObjects, openFileObjects } = await import(pathToFileURL(path.join(directory, "chat-turn", S3)).href);
      expect(await openObjects("bucket").head("key")).toMatchObject({ ETag: "etag of /bucket/key" });
      const file = { user_id: "ann", id: "f1", filename: "a.txt", media_type: "text/plain" };
      expect(await openFileObjects("bucket").signDownload(file, 60)).toContain(
        `http://127.0.0.1:${port}/bucket/files/`,
      );
    } finally {
      vi.unstubAllEnvs();
      server.close();
      server.closeAllConnections();
    }
  });

  it.each(TABLES)("can load %s beside it", async (file) => {
    const tokenizer = await import(pathToFileURL(path.join(directory, "chat-turn", file)).href);
    expect(tokenizer.countTokens("one two three")).toBe(3);
  });
});
