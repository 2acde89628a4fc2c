import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { functions } from "./functions.ts";
import { slim } from "./slim.ts";

/** The project's root. */
const root = path.resolve(import.meta.dirname, "..");

/** What few requests need is not in the bundle but beside it, to be loaded by the first that does: megabytes of tables, the client of S3. */
const BESIDE = [
  "gpt-tokenizer/encoding/cl100k_base",
  "gpt-tokenizer/encoding/o200k_base",
  "./shared/archive/objects.s3.ts",
];
const IMPORTS_BESIDE = new RegExp(`/(${BESIDE.map((source) => RegExp.escape(path.basename(source))).join("|")})$`);

/** The name of the file that something is in, from that of its source. */
const fileOf = (source: string): string => `./${path.parse(source).name}.mjs`;

const leaveOut: Plugin = {
  name: "beside",
  setup({ onResolve }) {
    onResolve({ filter: IMPORTS_BESIDE }, ({ path: source, kind }) =>
      kind === "dynamic-import" ? { path: fileOf(source), external: true } : undefined,
    );
  },
};

export interface BundleOptions {
  /**
   * Make stack traces name the sources on this machine, wherever the bundles are copied to. Otherwise they name them below the bundle's
   * directory (`/var/task/shared/…` on Lambda), so that bundles are the same on every machine.
   * @default false
   */
  sourcesOnDisk?: boolean;
}

/**
 * Bundles every function in one pass: ESM, minified, tree-shaken, with source maps. Each goes to
 * `<directory>/<function name>/index.mjs`, and beside it what it loads later.
 */
export async function bundleFunctions(directory: string, { sourcesOnDisk = false }: BundleOptions = {}): Promise<void> {
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
  const [{ metafile }, { outputFiles }] = await Promise.all([
    build({
      ...common,
      entryPoints: Object.entries(functions).map(([name, { entry }]) => ({
        in: entry,
        out: `${name}/index`,
      })),
      sourcemap: "linked",
      sourcesContent: false,
      ...(sourcesOnDisk && { sourceRoot: `${pathToFileURL(root).href}/` }),
      metafile: true,
      plugins: [slim, leaveOut],
    }),
    build({
      ...common,
      entryPoints: BESIDE,
      // Escapes would make tables larger by a seventh. Code has them: V8 takes longer over text that is not ASCII.
      charset: "utf8",
      plugins: [slim],
      write: false,
    }),
  ]);
  const maps = Object.keys(metafile.outputs).filter((output) => output.endsWith(".map"));
  await Promise.all(maps.map((map) => nameSourcesFromRoot(path.resolve(root, map))));
  const beside = new Map(outputFiles.map((file) => [fileOf(file.path), file.contents]));
  for (const [output, { imports }] of Object.entries(metafile.outputs)) {
    for (const { path: file } of imports) {
      const contents = beside.get(file);
      if (contents) await writeFile(path.resolve(root, path.dirname(output), file), contents);
    }
  }
}

/** Rewrites a source map's paths, which esbuild makes relative to the map: the assembly holds copies of the bundles in another place. */
async function nameSourcesFromRoot(file: string): Promise<void> {
  const map = await readFile(file, "utf8");
  const end = map.indexOf('"mappings"');
  const toRoot = `${path.relative(path.dirname(file), root).replaceAll(path.sep, "/")}/`;
  await writeFile(file, map.slice(0, end).replaceAll(`"${toRoot}`, '"') + map.slice(end));
}
