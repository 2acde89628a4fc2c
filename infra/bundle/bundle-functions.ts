import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { functions } from "../functions.ts";
import { bundlePage } from "./bundle-page.ts";

/** The project's root. */
const root = path.resolve(import.meta.dirname, "../..");

/**
 * Modules that few requests need. Code imports them with `import()`, and each is a separate file beside the bundles: the tables of
 * tokenizers have 1 and 2.7 MB. The S3 client adds 190 KB to a bundle, OpenAI's SDK 390 KB.
 */
const LAZY_MODULES = [
  "gpt-tokenizer/encoding/cl100k_base",
  "gpt-tokenizer/encoding/o200k_base",
  "./functions/s3-objects.ts",
  "./shared/memory/embedder.openai.ts",
];
const LAZY_IMPORT = new RegExp(`/(${LAZY_MODULES.map((module) => RegExp.escape(path.basename(module))).join("|")})$`);

/** The file of a lazy module, as a bundle imports it. */
const lazyFile = (module: string): string => `./${path.parse(module).name}.mjs`;

/**
 * Leaves lazy modules out of the bundles. esbuild's own `splitting` shares chunks between functions, and each function has a directory of
 * its own on Lambda; with one build per function, bundling takes 13 s instead of 3 s.
 */
const lazyModules: Plugin = {
  name: "lazy-modules",
  setup({ onResolve }) {
    onResolve({ filter: LAZY_IMPORT }, ({ path: module, kind }) =>
      kind === "dynamic-import" ? { path: lazyFile(module), external: true } : undefined,
    );
  },
};

const common = {
  absWorkingDir: root,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node24",
  mainFields: ["module", "main"],
  minify: true,
  legalComments: "none",
  logLevel: "warning",
  // CommonJS packages call `require`, which ES modules do not have.
  banner: { js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);' },
} satisfies BuildOptions;

interface BundleOptions {
  /**
   * Make stack traces name the sources on this machine, wherever the bundles are copied to. Otherwise they name them below the bundle's
   * directory (`/var/task/shared/…` on Lambda), so that bundles are the same on every machine.
   * @default false
   */
  sourcesOnDisk?: boolean;
}

/**
 * Bundles every function in one pass, with source maps, to `<directory>/<function name>/index.mjs`. The lazy modules of a function are
 * beside its bundle.
 */
export async function bundleFunctions(directory: string, { sourcesOnDisk = false }: BundleOptions = {}): Promise<void> {
  const [{ metafile }, { outputFiles }] = await Promise.all([
    build({
      ...common,
      outdir: directory,
      entryPoints: Object.entries(functions).map(([name, { entry }]) => ({ in: entry, out: `${name}/index` })),
      sourcemap: "linked",
      sourcesContent: false,
      ...(sourcesOnDisk && { sourceRoot: `${pathToFileURL(root).href}/` }),
      metafile: true,
      plugins: [lazyModules],
    }),
    // UTF-8, because escapes make the tables larger by a seventh. Bundles are ASCII, which V8 parses faster.
    build({ ...common, outdir: directory, entryPoints: LAZY_MODULES, charset: "utf8", write: false }),
    bundlePage(directory),
  ]);
  const outputs = Object.entries(metafile.outputs);
  const maps = outputs.filter(([output]) => output.endsWith(".map"));
  await Promise.all(maps.map(([map]) => nameSourcesFromRoot(path.resolve(root, map))));

  const lazy = new Map(outputFiles.map((file) => [lazyFile(file.path), file.contents]));
  for (const [output, { imports }] of outputs) {
    for (const { path: file } of imports) {
      const contents = lazy.get(file);
      if (contents) await writeFile(path.resolve(root, path.dirname(output), file), contents);
    }
  }
}

/** Makes a source map's paths relative to the project's root. esbuild makes them relative to the map, which moves with the bundle. */
async function nameSourcesFromRoot(file: string): Promise<void> {
  const map = await readFile(file, "utf8");
  const end = map.indexOf('"mappings"');
  const toRoot = `${path.relative(path.dirname(file), root).replaceAll(path.sep, "/")}/`;
  await writeFile(file, map.slice(0, end).replaceAll(`"${toRoot}`, '"') + map.slice(end));
}
