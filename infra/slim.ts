import { readFile } from "node:fs/promises";
import { builtinModules } from "node:module";
import path from "node:path";
import type { Plugin } from "esbuild";

const NAMESPACE = "slim";

/** What a function on Lambda never runs, and what stands in its place. */
const replaced: Record<string, string> = {
  // Reads the user agent of a browser.
  bowser: "export default {};",
  // Lambda's credentials are in the environment: no profiles, single sign-on or metadata service. Half of the SDK.
  "@aws-sdk/credential-provider-node":
    'import { fromEnv } from "@aws-sdk/credential-provider-env"; export const defaultProvider = () => fromEnv();',
  // Of Node versions without streams of their own.
  "web-streams-polyfill/dist/ponyfill.es2018.js": "export {};",
  // Streams of events, which of all that is called here only S3 Select has.
  "@smithy/core/event-streams":
    "export const eventStreamSerdeProvider = () => undefined;" +
    "export const resolveEventStreamSerdeConfig = (config) => config;" +
    "export class EventStreamSerde {}",
};

const words = (text: string): string[] => text.split(" ");

/** Classes of the OpenAI client that nothing here calls, as all but chat and embeddings; each is in a file of its name. */
const UNUSED_OF_OPENAI = [
  "auth/workload-identity-auth",
  ...words("ChatCompletionRunner ChatCompletionStream ChatCompletionStreamingRunner").map((file) => `lib/${file}`),
  ...words("batches content-provenance-checks decisions files images models moderations videos").map(
    (file) => `resources/${file}`,
  ),
  ...words(
    "admin audio beta containers conversations evals fine-tuning graders live realtime responses safety skills uploads " +
      "vector-stores webhooks",
  ).map((folder) => `resources/${folder}/${folder}`),
];
const OPENAI = new RegExp(`node_modules/openai/(${UNUSED_OF_OPENAI.join("|")})\\.mjs$`);

/** Certificates in the place of an API key, of which nothing here has any. */
const X509 = /node_modules\/openai\/internal\/auth\/x509-workload-identity-auth\.mjs$/;
const NO_X509 =
  "export class X509WorkloadIdentityAuth {}" +
  "export const isX509WorkloadIdentity = () => false;" +
  "export const assertX509RequestOptions = () => undefined;" +
  "export const snapshotX509RequestOptions = (options) => options;";

/** As in `FineTuning` of `fine-tuning`. */
const classOf = (file: string): string =>
  path.basename(file, ".mjs").replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Where the SDK describes what it sends and receives. */
const SCHEMAS = /@aws-sdk\/client-[^/]+\/dist-es\/schemas\/schemas_0\.js$/;

/** With the names of properties written out: esbuild drops no object that is unused when it has computed ones. */
function writtenOut(schemas: string): string {
  const names = new Map([...schemas.matchAll(/^const (\w+) = (".*");$/gm)].map(([, name, value]) => [name, value]));
  return schemas.replace(/\[(\w+)\]:/g, (computed, name: string) =>
    names.has(name) ? `${names.get(name)}:` : computed,
  );
}

/** Where the SDK reads `~/.aws/config`, which Lambda has not, and the local host's functions are not to depend on. */
const SHARED_CONFIG = /@smithy\/core\/dist-es\/.*\/loadSharedConfigFiles\.js$/;
const NO_SHARED_CONFIG =
  'export { CONFIG_PREFIX_SEPARATOR } from "./constants";' +
  "export const loadSharedConfigFiles = async () => ({ configFile: {}, credentialsFile: {} });";

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
    build.onResolve({ filter: CONCERNED }, ({ path: name, namespace }) =>
      namespace === NAMESPACE && !(name in replaced)
        ? { path: name, external: true }
        : { path: name, namespace: NAMESPACE, sideEffects: false },
    );
    build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path: name }) => ({
      contents: replaced[name] ?? `module.exports = require(${JSON.stringify(name)});`,
      resolveDir: build.initialOptions.absWorkingDir ?? process.cwd(),
    }));
    build.onLoad({ filter: OPENAI }, ({ path: file }) => ({ contents: `export class ${classOf(file)} {}` }));
    build.onLoad({ filter: X509 }, () => ({ contents: NO_X509 }));
    build.onLoad({ filter: SHARED_CONFIG }, () => ({ contents: NO_SHARED_CONFIG }));
    build.onLoad({ filter: SCHEMAS }, async ({ path: file }) => ({
      contents: writtenOut(await readFile(file, "utf8")),
    }));
  },
};
