import { existsSync, readdirSync } from "node:fs";
import path from "node:path";

const [name, ...args] = process.argv.slice(2);
const names = readdirSync(import.meta.dirname)
  .filter((file) => /^[a-z-]+\.ts$/.test(file) && file !== "main.ts")
  .map((file) => path.basename(file, ".ts"));

const USAGE = `Runs a benchmark: counts, and ratios within one run.

  npm run bench                       sessions and cold, which need no data
  npm run bench -- NAME [ARG ...]     one of: ${names.join(", ")}

  npm run bench -- costs              what a million messages cost, and from which measured units
  npm run bench -- life FILE [--users N] [--ttl SECONDS] [--keep DIR]
                                      the whole life of every conversation in a JSON Lines file
`;

if (name === "--help" || name === "-h") {
  process.stdout.write(USAGE);
} else if (name === undefined) {
  for (const each of ["sessions", "cold"]) await run(each, []);
} else if (existsSync(path.join(import.meta.dirname, `${name}.ts`)) && names.includes(name)) {
  await run(name, args);
} else {
  process.stderr.write(`There is no benchmark "${name}".\n\n${USAGE}`);
  process.exitCode = 2;
}

async function run(bench: string, benchArgs: string[]): Promise<void> {
  const module = (await import(`./${bench}.ts`)) as { run(args: string[]): Promise<void> };
  await module.run(benchArgs);
}
