import path from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { functions } from "./functions.ts";
import { slim } from "./slim.ts";

/** The project's root. */
const root = path.resolve(import.meta.dirname, "..");

/** What few requests need is not in the bundle but beside it, to be loaded by the first that does: megabytes of tables, the client of S3. */
const BESIDE = /^gpt-tokenizer\/encoding\/\w+$|\/archive\/objects\.s3\.ts$/;

/** Leaves that out, and keeps where it is to be found, by the name of the file that it is to be in. */
const leaveOut = (sources: Map<string, string>): Plugin => ({
  name: "beside",
  setup({ onResolve }) {
    onResolve({ filter: BESIDE }, ({ path: source, kind, resolveDir }) => {
      if (kind !== "dynamic-import") return undefined;
      const file = `./${path.parse(source).name}.mjs`;
      sources.set(file, source.startsWith(".") ? path.resolve(resolveDir, source) : source);
      return { path: file, external: true };
    });
  },
});

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
    inject: [path.join(root, "infra/fetch.ts")],
    // Node's own modules are loaded by `require`; see slim.ts.
    banner: {
      js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);',
    },
  } satisfies BuildOptions;
  const sources = new Map<string, string>();
  const { metafile } = await build({
    ...common,
    entryPoints: Object.entries(functions).map(([name, { entry }]) => ({
      in: entry,
      out: `${name}/index`,
    })),
    sourcemap: "linked",
    sourcesContent: false,
    metafile: true,
    plugins: [slim, leaveOut(sources)],
  });
  const entryPoints = Object.entries(metafile.outputs).flatMap(([output, { imports }]) =>
    imports.flatMap(({ path: file }) => {
      const source = sources.get(file);
      const out = path.relative(directory, path.resolve(root, path.dirname(output), path.parse(file).name));
      return source ? [{ in: source, out }] : [];
    }),
  );
  // Escapes would make tables larger by a seventh. Code has them: V8 takes longer over text that is not ASCII.
  await build({ ...common, entryPoints, charset: "utf8", plugins: [slim] });
}
