import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Files that run whole hosts, or many commands. */
const HOSTS = /^test\/(e2e\/|readme|clients)/;
/** Changes of the process that files after this one would see: other modules, clocks, variables and functions. */
const CHANGES_PROCESS =
  /\bvi\.(mock|doMock|spyOn|stubEnv|stubGlobal|useFakeTimers|resetModules)\(|\bprocess\.(chdir|on|once)\(|\bprocess\.env\.\w+ = |\bglobalThis\.\w+ = /;

/** The projects, in the order in which their files start, and the files of each. */
const projects = Map.groupBy(globSync("test/**/*.test.ts", { cwd: root }), (file) => {
  if (HOSTS.test(file)) return "hosts";
  return CHANGES_PROCESS.test(readFileSync(path.join(root, file), "utf8")) ? "alone" : "together";
});
const ORDER = ["hosts", "alone", "together"] as const;

/**
 * Starts the files that run whole hosts first. They wait for much, and the others use the time. Left for the end, they would run while a core is
 * idle. The files that share processes come last, in a row, because Vitest ends a shared process before it starts a file of another project.
 */
class HostsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return ORDER.flatMap((name) => sorted.filter(({ project }) => project.name === name));
  }
}

export default defineConfig({
  test: {
    root,
    globalSetup: ["test/support/share-assembly.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Vitest gives a poll one second, which other processes may take. A condition that never holds fails before its test times out.
    expect: { poll: { timeout: 20_000 } },
    sequence: { sequencer: HostsFirst },
    // Some tests race real clocks, and CI's machines are noisy; a test that is wrong fails every time.
    retry: process.env.CI ? 2 : 0,
    // Two cores, of which two forks use two thirds, because many tests wait for hosts and timers.
    maxWorkers: 3,
    // Most files leave their process as it is, so they share three processes. In a process of its own, a file takes up to 1 s of CPU time for its
    // imports, and runs code that V8 has not optimized yet: together, the files
    // need about a quarter less CPU time.
    projects: ORDER.map((name) => ({
      extends: true,
      test: { name, include: projects.get(name) ?? [], isolate: name !== "together" },
    })),
  },
});
