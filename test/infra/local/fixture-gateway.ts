import { readAssembly } from "../../../infra/local/assembly/read-assembly.ts";
import { createResolver } from "../../../infra/local/assembly/resolve.ts";
import { createFunctions } from "../../../infra/local/functions.ts";
import { createGateway, type RequestLog } from "../../../infra/local/gateway/gateway.ts";
import { buildApi } from "../../../infra/local/gateway/rest-api.ts";
import type { LogLevel } from "../../../infra/local/lambda/worker-messages.ts";
import { listen } from "../../../infra/local/listen.ts";
import { type Fixture, temporaryDirectory, writeAssembly } from "./fixture-assembly.ts";

export interface RunningGateway {
  url: string;
  port: number;
  /** One entry per finished request. */
  requests: RequestLog[];
  logs: { level: LogLevel; text: string }[];
  warnings: string[];
  stop(): Promise<void>;
}

/** Serves the API of a fixture with its functions, without engines. */
export async function startGateway(fixture: Fixture, { isolate = false } = {}): Promise<RunningGateway> {
  const { directory, remove } = temporaryDirectory();
  writeAssembly(directory, fixture);
  const requests: RequestLog[] = [];
  const logs: RunningGateway["logs"] = [];
  const warnings: string[] = [];
  const warn = (text: string) => void warnings.push(text);
  const resolver = createResolver(readAssembly(directory), warn);
  const log = {
    info: () => {},
    detail: (text: string) => void logs.push({ level: "info", text }),
    warn,
    error: (text: string) => void logs.push({ level: "error", text }),
    request: (entry: RequestLog) => void requests.push(entry),
  };
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const functions = createFunctions(resolver, { endpoints: {}, credentials: () => credentials, isolate }, log);
  const gateway = createGateway({ find: (name) => functions.get(name), onRequest: log.request });
  const api = buildApi(resolver, warn);
  if (api) gateway.serve(api);
  const { url, port, close } = await listen(gateway.server, 0);
  return {
    url,
    port,
    requests,
    logs,
    warnings,
    async stop() {
      await close();
      await Promise.all([...functions.values()].map((hosted) => hosted.stop()));
      remove();
    },
  };
}
