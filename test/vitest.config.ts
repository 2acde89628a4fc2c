import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Starts the files that run whole hosts first. They wait for much, and the others use the time. Left for the end, as in a new clone, which
 * does not know yet how long a file takes, they would run while a core is idle.
 */
class HostsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isHost = ({ moduleId }: TestSpecification) => /\/test\/(e2e\/|readme|clients)/.test(moduleId);
    const sorted = await super.sort(files);
    return [...sorted.filter(isHost), ...sorted.filter((file) => !isHost(file))];
  }
}

export default defineConfig({
  test: {
    root: fileURLToPath(new URL("..", import.meta.url)),
    include: ["test/**/*.test.ts"],
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
  },
});
