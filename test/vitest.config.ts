import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: fileURLToPath(new URL("..", import.meta.url)),
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/share-assembly.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Some tests race real clocks, and CI's machines are noisy; a test that is wrong fails every time.
    retry: process.env.CI ? 2 : 0,
    // Two cores: more forks only fight each other.
    maxWorkers: 2,
  },
});
