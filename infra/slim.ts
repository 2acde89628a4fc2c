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

const builtins = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]));

/**
 * Keeps out of the bundles what only costs time at a cold start. Node's own modules are loaded by `require`: an ES
 * import of `node:http` reads each of its exports, and with them loads its WebSocket and fetch, which takes longer than
 * some functions run.
 */
export const slim: Plugin = {
  name: "slim",
  setup(build) {
    build.onResolve({ filter: /.*/ }, (args) => {
      if (args.namespace === NAMESPACE && builtins.has(args.path)) return { path: args.path, external: true };
      if (!builtins.has(args.path) && !(args.path in replaced)) return undefined;
      return { path: args.path, namespace: NAMESPACE, sideEffects: false };
    });
    build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({
      contents: replaced[path] ?? `module.exports = require(${JSON.stringify(path)});`,
      resolveDir: build.initialOptions.absWorkingDir ?? process.cwd(),
    }));
  },
};
