import path from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { functions } from "./functions.ts";
import { slim } from "./slim.ts";

/** The project's root. */
const root = path.resolve(import.meta.dirname, "..");

/** Megabytes of tables that few requests need: not in the bundle but beside it, to be loaded by the first that does. */
const TABLES = /^gpt-tokenizer\/encoding\/(\w+)$/;

const beside: Plugin = {
  name: "beside",
  setup({ onResolve }) {
    onResolve({ filter: TABLES }, ({ path: name, kind }) =>
      kind === "dynamic-import" ? { path: `./${name.replace(TABLES, "$1")}.mjs`, external: true } : undefined,
    );
  },
};

/**
 * Bundles every function in one pass: ESM, minified, tree-shaken, with source maps. Each goes to
 * `<directory>/<function name>/index.mjs`, and beside it what it loads later.
 */
export async function bundleFunctions(directory: string): Promise<void> {
  const common = {
    absWorkingDir: root,
    outdir: directory,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node24",
    mainFields: ["module", "main"],
    minify: true,
    treeShaking: true,
    legalComments: "none",
    logLevel: "warning",
  } satisfies BuildOptions;
  const { metafile } = await build({
    ...common,
    entryPoints: Object.entries(functions).map(([name, { entry }]) => ({
      in: entry,
      out: `${name}/index`,
    })),
    sourcemap: "linked",
    sourcesContent: false,
    metafile: true,
    plugins: [slim, beside],
    inject: [path.join(root, "infra/fetch.ts")],
    // Node's own modules are loaded by `require`; see slim.ts.
    banner: {
      js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);',
    },
  });
  const later = Object.entries(metafile.outputs).flatMap(([output, { imports }]) =>
    imports
      .filter(({ external, path: file }) => external && file.startsWith("./"))
      .map(({ path: file }) => ({ name: path.parse(file).name, to: path.dirname(path.resolve(root, output)) })),
  );
  await build({
    ...common,
    // Escapes would make the tables larger by a seventh.
    charset: "utf8",
    entryPoints: later.map(({ name, to }) => ({
      in: `gpt-tokenizer/encoding/${name}`,
      out: path.join(path.relative(directory, to), name),
    })),
  });
}
