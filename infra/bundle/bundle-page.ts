import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const root = path.resolve(import.meta.dirname, "../..");

/**
 * Builds the page of `web/` into the directories of its two functions: `page-get/index.html`, and `page-asset/assets/<file>.gz` with a hash
 * in each name.
 */
export async function bundlePage(directory: string): Promise<void> {
  const assets = path.join(directory, "page-asset", "assets");
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    outdir: assets,
    entryPoints: ["web/main.tsx", "web/style/main.css", "web/icon.svg"],
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    loader: { ".svg": "copy" },
    bundle: true,
    splitting: true,
    format: "esm",
    target: ["chrome123", "firefox120", "safari17.5"],
    jsx: "automatic",
    jsxImportSource: "preact",
    minify: true,
    legalComments: "none",
    charset: "utf8",
    metafile: true,
    write: false,
    logLevel: "warning",
  });
  await mkdir(assets, { recursive: true });
  await mkdir(path.join(directory, "page-get"), { recursive: true });
  const names = outputFiles.map((file) => path.basename(file.path));
  await Promise.all(
    outputFiles.map((file, n) => writeFile(path.join(assets, `${names[n]}.gz`), gzipSync(file.contents, { level: 9 }))),
  );
  const html = await readFile(path.join(root, "web/index.html"), "utf8");
  const entries = new Map(
    Object.entries(metafile.outputs).map(([output, { entryPoint = "" }]) => [
      path.basename(entryPoint),
      path.basename(output),
    ]),
  );
  // `index.html` names the sources. The bundled page names the files with their hashes.
  const page = html.replaceAll(/"\.\/(?:style\/)?(main\.tsx|main\.css|icon\.svg)"/g, (_, source: string) => {
    return `"assets/${entries.get(source)}"`;
  });
  await writeFile(path.join(directory, "page-get", "index.html"), page);
}
