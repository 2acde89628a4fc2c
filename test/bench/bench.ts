import { readdirSync } from "node:fs";

const [name, ...args] = process.argv.slice(2);
const names = readdirSync(import.meta.dirname).flatMap((file) => /^bench-([a-z-]+)\.ts$/.exec(file)?.[1] ?? []);

const USAGE = `Runs a benchmark. Benchmarks print counts, and ratios within one run.

  npm run bench                       run sessions and cold, which need no data
  npm run bench -- NAME [ARG ...]     run one of ${names.join(", ")}

  npm run bench -- costs              print the cost of a million messages, from measured units
  npm run bench -- erasure            erase 300 of 1,000 users while the others write, and search everything that is
                                      stored for their marks; --help shows its options
  npm run bench -- chat               measure turns; --help shows its options
  npm run bench -- life FILE [--users N] [--ttl SECONDS] [--sessions N] [--branched-every N]
                                      run the conversations of a JSON Lines file through their whole life; every 5th
                                      (N-th) one gets calls of tools, a file, an edit, another answer and a switch
`;

/** Benchmarks with many options explain them themselves. */
const withHelp = ["chat", "erasure"];

const isHelp = (arg = "") => arg === "--help" || arg === "-h";

if (isHelp(name) || (args.some(isHelp) && !withHelp.includes(String(name)))) {
  process.stdout.write(USAGE);
} else if (name === undefined) {
  for (const each of ["sessions", "cold"]) await run(each, []);
} else if (names.includes(name)) {
  await run(name, args);
} else {
  process.stderr.write(`There is no benchmark "${name}".\n\n${USAGE}`);
  process.exitCode = 2;
}

async function run(bench: string, benchArgs: string[]): Promise<void> {
  const module = (await import(`./bench-${bench}.ts`)) as { run(args: string[]): Promise<void> };
  await module.run(benchArgs);
}
