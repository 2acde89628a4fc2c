import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
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
const S3 = "objects.s3.mjs";
const FILES = "file-objects.s3.mjs";

/** Functions that use S3 whenever they run, so that its client is in their bundle. */
const ALWAYS_S3 =
  "jobs-lake jobs-export jobs-housekeeping jobs-archive jobs-reembed sessions-delete sessions-restore system-health";

/** Functions that read the archive without the rest of a session. */
const ARCHIVE_ONLY = "jobs-lake jobs-housekeeping system-health";

const directory = mkdtempSync(path.join(tmpdir(), "memocha-bundle-"));
const names = Object.entries(functions as Record<string, FunctionSpec>);
const modulesOf = (name: string) => readdirSync(path.join(directory, name)).filter((file) => file.endsWith(".mjs"));

beforeAll(() => bundleFunctions(directory));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("a function's bundle", () => {
  it.each(names)("is at most 1.2 MB: %s", (name) => {
    expect(statSync(path.join(directory, name, "index.mjs")).size).toBeLessThanOrEqual(1_200_000);
  });

  it("has beside it the tokenizers' tables if it asks models, S3 clients and OpenAI's SDK if few requests need them, and nothing else", () => {
    for (const [name, { streams, archive, embeds, chat }] of names) {
      const beside = [
        ...(streams && chat === "ask" ? TABLES : []),
        ...(embeds && chat !== "ask" ? ["embedder.openai.mjs"] : []),
        ...(archive && !ALWAYS_S3.split(" ").includes(name) ? [S3] : []),
        ...(archive && !ARCHIVE_ONLY.split(" ").includes(name) ? [FILES] : []),
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
    const { createObjects } = await import(pathToFileURL(path.join(directory, "chat-turn", S3)).href);
    const send = vi.fn(async () => ({ ETag: "etag" }));
    expect(await createObjects({ send }, "bucket").head("key")).toEqual({ ETag: "etag" });
    expect(send).toHaveBeenCalledWith(expect.objectContaining({ input: { Bucket: "bucket", Key: "key" } }));
  });

  it.each(TABLES)("can load %s beside it", async (file) => {
    const tokenizer = await import(pathToFileURL(path.join(directory, "chat-turn", file)).href);
    expect(tokenizer.countTokens("one two three")).toBe(3);
  });
});
