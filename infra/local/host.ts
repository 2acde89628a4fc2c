import { rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { functionArn } from "./assembly/physical.ts";
import { readAssembly } from "./assembly/read-assembly.ts";
import { createResolver, type Resolver } from "./assembly/resolve.ts";
import { reviewResources } from "./assembly/review.ts";
import { lockDirectory } from "./dynamodb/lock-directory.ts";
import { createFunctions, readAsynchronousSettings } from "./functions.ts";
import { createGateway } from "./gateway/gateway.ts";
import { buildApi } from "./gateway/rest-api.ts";
import { createAccess, type RoleGrant } from "./iam/access.ts";
import { checkDeployment } from "./iam/check-deployment.ts";
import { invokePermission } from "./iam/permissions.ts";
import { issuerUrl, LOCAL_CLIENT_ID, loadIssuerKey } from "./issuer/issuer-key.ts";
import { signToken, type TokenClaims } from "./issuer/sign-token.ts";
import { startIssuer } from "./issuer/start-issuer.ts";
import { createAsynchronousInvoker } from "./lambda/asynchronous.ts";
import type { Credentials } from "./lambda/environment.ts";
import { startInvokeApi } from "./lambda/invoke-api.ts";
import type { LambdaFunction } from "./lambda/lambda-function.ts";
import { listen } from "./listen.ts";
import { createLog, type Log } from "./log.ts";
import { announceHost } from "./running-host.ts";
import { type CdkApp, synthesize } from "./synthesize.ts";
import { startTriggers } from "./triggers.ts";

/** Milliseconds that running requests get to end when the host stops. */
const GRACE = 10_000;

export interface StartOptions {
  /** The directory of a cloud assembly, or the CDK app that writes one into `<data>/cdk.out`. */
  assembly: string | CdkApp;
  /** The data directory. */
  data: string;
  /** Port of the API; 0 = any free port. @default 3000 */
  port?: number;
  /** Deletes the data of earlier runs first. @default false */
  fresh?: boolean;
  /** Seconds between two deletions of expired items; 0 = never. @default 5 */
  ttlSweep?: number;
  /** Seconds between two runs of every schedule. @default as its expression says */
  scheduleEvery?: number | undefined;
  /** Seconds for which the tokens of a signed-in page are valid. @default 3600 */
  tokenSeconds?: number;
  /** Runs one invocation at a time in each worker, as Lambda does. @default false */
  isolate?: boolean;
  /** Returns variables that replace those of a function's template. */
  variables?(template: Record<string, string>, engines: { vectors: boolean }): Record<string, string>;
  /** @default everything but details on stderr */
  log?: Log;
  /** Aborts the start. */
  signal?: AbortSignal;
}

export interface Host {
  /** URL of the API. */
  url: string;
  endpoints: { dynamodb: string; streams: string; s3: string; sqs: string; lambda: string };
  /** Returns the physical names of the resources of a type (the value of `Ref`), by logical id. */
  names(type: string): Record<string, string>;
  /** Outputs of every stack, by name. */
  outputs: Record<string, unknown>;
  /** Whether the template has a user pool. If so, the host issues its tokens. */
  issuesTokens: boolean;
  /** Whether the DynamoDB engine has vector indexes. */
  vectors: boolean;
  token(claims: TokenClaims): Promise<string>;
  /** Returns every grant of the functions' roles, with the number of uses since the start. */
  grants(): RoleGrant[];
  /** Waits for running requests, then stops everything. A second call has no effect. */
  stop(): Promise<void>;
}

/**
 * Runs a cloud assembly on this machine. Rejects when the port is in use (`EADDRINUSE`), when another host uses the data directory,
 * or when synthesis or an engine fails. Nothing keeps running after a rejection.
 */
export async function startHost(options: StartOptions): Promise<Host> {
  const log = options.log ?? createLog({ verbose: false, write: (line) => process.stderr.write(line) });
  const ends: (() => Promise<void> | void)[] = [];
  const stop = once(async () => {
    const failures: unknown[] = [];
    // Stop the rest even if one part fails to stop.
    for (const end of ends.reverse()) {
      await (async () => await end())().catch((error: unknown) => void failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  });
  try {
    return await start(options, log, ends, stop);
  } catch (error) {
    // Report why the start failed. An error while stopping matters less.
    await stop().catch(() => {});
    throw error;
  }
}

async function start(options: StartOptions, log: Log, ends: (() => Promise<void> | void)[], stop: () => Promise<void>) {
  const data = path.resolve(options.data);
  const lock = lockDirectory(data);
  ends.push(() => lock.release());
  if (options.fresh) empty(data);

  const functions = new Map<string, LambdaFunction>();
  const find = (name: string) => functions.get(name);
  const gateway = createGateway({ find, onRequest: log.request });
  const http = await listen(gateway.server, options.port ?? 3000);
  ends.push(() => http.close());

  const abort = new AbortController();
  const signal = options.signal ? AbortSignal.any([abort.signal, options.signal]) : abort.signal;
  const { assembly } = options;
  const synthesis =
    typeof assembly === "string" ? Promise.resolve(assembly) : synthesize(assembly, path.join(data, "cdk.out"), signal);
  synthesis.catch(() => {});
  // Load the SDK while the app synthesizes, because both take about a second.
  const [{ startServices }, { ensureStorage }] = await Promise.all([import("./services.ts"), import("./storage.ts")]);
  const access = createAccess();
  const services = await startServices({ data, external: externalDynamo(), credentials: credentials(), access, log });
  ends.push(() => services.close());
  ends.push(() => {
    abort.abort();
    return synthesis.then(
      () => {},
      () => {},
    );
  });
  const issuer = await startIssuer(data, await loadIssuerKey(data), log.warn, options.tokenSeconds);
  ends.push(() => issuer.close());

  const resolver = createResolver(readAssembly(await synthesis), withoutRepeats(log.warn));
  if (!services.vectors) {
    log.warn("the DynamoDB engine has no vector indexes: tables are created without them");
  }
  const expiring = await ensureStorage(resolver, services, log.warn);
  const issuesTokens = learnIssuer(resolver, issuerUrl(issuer.issuer));
  access.load(resolver);
  checkDeployment(resolver, access, log.warn);

  const sendToQueue = (arn: string, body: string) => services.sqs.send(arn.split(":").at(-1) ?? "", body);
  const asynchronous = createAsynchronousInvoker(readAsynchronousSettings(resolver, sendToQueue), log.warn);
  const lambda = await startInvokeApi(find, asynchronous, access);
  const endpoints = { ...services.endpoints, lambda: lambda.url };
  const created = createFunctions(
    resolver,
    {
      endpoints: { ...endpoints, ...services.functionEndpoints },
      credentials: access.credentialsOf,
      isolate: options.isolate ?? false,
      overrides: (template) => options.variables?.(template, { vectors: services.vectors }) ?? {},
    },
    log,
  );
  for (const [name, hosted] of created) functions.set(name, hosted);
  ends.push(async () => {
    await lambda.close(GRACE);
    await Promise.all([...functions.values()].map((hosted) => hosted.stop()));
  });
  ends.push(() => Promise.race([asynchronous.stop(), sleep(GRACE, undefined, { ref: false })]));

  reviewResources(resolver, log.warn, log.detail);
  const api = buildApi(resolver, log.warn, (name, sourceArn) => {
    const permission = invokePermission(functionArn(name));
    return access.checkService("apigateway.amazonaws.com", sourceArn, permission);
  });
  if (api) gateway.serve(api);
  const triggers = startTriggers(resolver, {
    find,
    asynchronous,
    streams: services.streams,
    checkpoints: path.join(data, "checkpoints"),
    scheduleEvery: options.scheduleEvery,
    sendToQueue,
    access,
    log,
  });
  ends.push(() => triggers.stop());
  services.startUpkeep(options.ttlSweep ?? 5, expiring);
  ends.push(() => http.close(GRACE));
  ends.push(announceHost(data, { url: http.url, endpoints, outputs: resolver.outputs() }));

  return {
    url: http.url,
    endpoints,
    names: (type: string) => Object.fromEntries(resolver.resources(type).map((r) => [r.logicalId, resolver.ref(r)])),
    outputs: resolver.outputs(),
    issuesTokens,
    vectors: services.vectors,
    token: (claims: TokenClaims) => signToken(issuer.issuer, claims),
    grants: access.grants,
    stop,
  };
}

/** Deletes the host's own files only. The issuer's key stays, so that tokens stay valid. */
function empty(data: string): void {
  for (const name of ["dynamodb", "s3", "sqs", "checkpoints", "cdk.out", "cdk.out.tmp", "host.json"]) {
    rmSync(path.join(data, name), { recursive: true, force: true });
  }
}

/** Sets the local issuer as the provider of the template's user pool. Returns whether there is a user pool. */
function learnIssuer(resolver: Resolver, url: string): boolean {
  const pools = resolver.resources("AWS::Cognito::UserPool");
  for (const pool of pools) resolver.learn(pool, { ProviderURL: url, ProviderName: url.replace("http://", "") });
  for (const client of resolver.resources("AWS::Cognito::UserPoolClient")) {
    resolver.learn(client, { Ref: LOCAL_CLIENT_ID, ClientId: LOCAL_CLIENT_ID });
  }
  return pools.length > 0;
}

function externalDynamo(): string | undefined {
  // biome-ignore lint/style/noProcessEnv: the user selects another engine with this variable
  return process.env.DYNAMODB_ENDPOINT || undefined;
}

/** Credentials for the engines. The embedded ones accept any; another one may need those of the user. */
function credentials(): Credentials {
  // biome-ignore lint/style/noProcessEnv: the user sets the credentials of another engine
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
  if (externalDynamo() && AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY) {
    return { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  }
  return { accessKeyId: "local", secretAccessKey: "local" };
}

/** Passes each text on once. */
function withoutRepeats(say: (text: string) => void): (text: string) => void {
  const said = new Set<string>();
  return (text) => {
    if (said.has(text)) return;
    said.add(text);
    say(text);
  };
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= run();
    return running;
  };
}
