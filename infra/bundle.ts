import path from "node:path";
import { build } from "esbuild";
import { functions } from "./functions.ts";
import { slim } from "./slim.ts";

/** The project's root. */
const root = path.resolve(import.meta.dirname, "..");

/**
 * Bundles every function in one pass: ESM, minified, tree-shaken, with source maps. Each goes to
 * `<directory>/<function name>/index.mjs`.
 */
export async function bundleFunctions(directory: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: Object.entries(functions).map(([name, { entry }]) => ({
      in: entry,
      out: `${name}/index`,
    })),
    outdir: directory,
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
    plugins: [slim],
    // Node's own modules are loaded by `require`; see slim.ts.
    banner: {
      js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);',
    },
  });
}
