import { rmSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { functions } from "./functions.ts";

/** The project's root. */
export const root = path.resolve(import.meta.dirname, "..");

/** Where the bundles go: `dist/<function name>/index.mjs`, with its source map beside it. */
export const dist = path.join(root, "dist");

/** Bundles every function in one pass: ESM, minified, tree-shaken, with source maps. */
export async function bundleFunctions(): Promise<void> {
  rmSync(dist, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: Object.entries(functions).map(([name, { entry }]) => ({
      in: entry,
      out: `${name}/index`,
    })),
    outdir: dist,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node24",
    mainFields: ["module", "main"],
    minify: true,
    treeShaking: true,
    sourcemap: "linked",
    sourcesContent: false,
    legalComments: "none",
    logLevel: "warning",
    // Packages published as CommonJS call `require` for Node's own modules.
    banner: {
      js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);',
    },
  });
}
