import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleFunctions } from "../../infra/bundle.ts";
import { type FunctionSpec, functions } from "../../infra/functions.ts";

const TABLES = ["cl100k_base.mjs", "o200k_base.mjs"];

const directory = mkdtempSync(path.join(tmpdir(), "memocha-bundle-"));
const names = Object.entries(functions as Record<string, FunctionSpec>);
const modulesOf = (name: string) => readdirSync(path.join(directory, name)).filter((file) => file.endsWith(".mjs"));

beforeAll(() => bundleFunctions(directory));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("the bundles", () => {
  it.each(names)("of %s has at most a megabyte", (name) => {
    expect(statSync(path.join(directory, name, "index.mjs")).size).toBeLessThanOrEqual(1_000_000);
  });

  it("have the tables of tokenizers beside them where models are asked, and nowhere else", () => {
    for (const [name, { chat }] of names) {
      expect([name, modulesOf(name)]).toEqual([name, [...(chat === "ask" ? TABLES : []), "index.mjs"].sort()]);
    }
  });

  it.each(TABLES)("can load %s", async (file) => {
    const tokenizer = await import(pathToFileURL(path.join(directory, "chat-turn", file)).href);
    expect(tokenizer.countTokens("one two three")).toBe(3);
  });
});
