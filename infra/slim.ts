import { builtinModules } from "node:module";
import type { Plugin } from "esbuild";

const NAMESPACE = "slim";

/** What a function on Lambda never runs, and what stands in its place. */
const replaced: Record<string, string> = {
  // Reads the user agent of a browser.
  bowser: "export default {};",
  // Lambda's credentials are in the environment: no profiles, single sign-on or metadata service. Half of the SDK.
  "@aws-sdk/credential-provider-node":
    'import { fromEnv } from "@aws-sdk/credential-provider-env"; export const defaultProvider = () => fromEnv();',
  // Streams of events, which of all that is called here only S3 Select has.
  "@smithy/core/event-streams":
    "export const eventStreamSerdeProvider = () => undefined;" +
    "export const resolveEventStreamSerdeConfig = (config) => config;" +
    "export class EventStreamSerde {}",
};

/** Resources of the OpenAI API that nothing here calls: their classes are made with every client, and hold nothing. */
for (const [name, file] of [
  ["Admin", "admin/admin"],
  ["Beta", "beta/beta"],
  ["FineTuning", "fine-tuning/fine-tuning"],
  ["VectorStores", "vector-stores/vector-stores"],
]) {
  for (const folder of ["./", "./resources/"]) replaced[`${folder}${file}.mjs`] = `export class ${name} {}`;
}

const builtins = builtinModules.flatMap((name) => [name, `node:${name}`]);

// Only these come to the plugin at all: asking it about every import takes longer than bundling.
const CONCERNED = new RegExp(`^(${[...builtins, ...Object.keys(replaced)].map(RegExp.escape).join("|")})$`);

/**
 * Keeps out of the bundles what only costs time at a cold start. Node's own modules are loaded by `require`: an ES
 * import of `node:http` reads each of its exports, and with them loads its WebSocket and fetch, which takes longer than
 * some functions run.
 */
export const slim: Plugin = {
  name: "slim",
  setup(build) {
    build.onResolve({ filter: CONCERNED }, ({ path, namespace }) =>
      namespace === NAMESPACE && !(path in replaced)
        ? { path, external: true }
        : { path, namespace: NAMESPACE, sideEffects: false },
    );
    build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({
      contents: replaced[path] ?? `module.exports = require(${JSON.stringify(path)});`,
      resolveDir: build.initialOptions.absWorkingDir ?? process.cwd(),
    }));
  },
};
