/**
 * Changes the code of shared/ in small ways, and says which changes no test notices: `npm run mutate -- --mutate shared/archive/archived-lines.ts`.
 * @type {import("@stryker-mutator/api/core").PartialStrykerOptions}
 */
export default {
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner"],
  vitest: { configFile: "test/vitest.config.ts" },
  mutate: ["shared/**/*.ts"],
  coverageAnalysis: "perTest",
  // Such a change needs every test to run again.
  ignoreStatic: true,
  timeoutMS: 30_000,
  // TypeScript 7 cannot be asked to read its configuration, which is right in a copy of the project as it is.
  tsconfigFile: "",
  // Not below node_modules, where vitest finds no tests.
  tempDirName: ".stryker",
  reporters: ["clear-text", "progress"],
  clearTextReporter: { reportTests: false },
};
