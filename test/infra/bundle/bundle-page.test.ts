import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bundlePage } from "../../../infra/bundle/bundle-page.ts";

/** Bytes of all files of the page, gzipped. */
const MAX_BYTES = 80_000;

const directory = mkdtempSync(path.join(tmpdir(), "memocha-page-"));
const assets = path.join(directory, "page-asset", "assets");
beforeAll(() => bundlePage(directory));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it("the page has at most 80 KB of gzipped files", () => {
  const bytes = readdirSync(assets).reduce((sum, file) => sum + statSync(path.join(assets, file)).size, 0);
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(MAX_BYTES);
});

it("the page names its files by relative URLs, and no other host", () => {
  const html = readFileSync(path.join(directory, "page-get", "index.html"), "utf8");
  const urls = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url!);
  expect(urls.length).toBeGreaterThan(2);
  for (const url of urls) expect(readdirSync(assets)).toContain(`${path.basename(url)}.gz`);
  const text = readdirSync(assets).map((file) => gunzipSync(readFileSync(path.join(assets, file))).toString("utf8"));
  const hosts = new Set(text.flatMap((file) => file.match(/https?:\/\/[a-z0-9.-]+/g) ?? []));
  // Names of XML vocabularies, and the text of an error of the Markdown library: neither is ever loaded.
  expect([...hosts].filter((host) => !/\/\/(www\.w3\.org|github\.com)$/.test(host))).toEqual([]);
});
