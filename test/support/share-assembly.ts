/**
 * Global set-up of Vitest: synthesizes the app for all test files together, when the first of them asks for it. The bundles of all functions
 * take about 10 s of CPU time, most of what a host needs for its start.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestProject } from "vitest/node";
import { memochaApp } from "../../infra/cli/start/start-memocha.ts";
import { listen, synthesize } from "../../infra/local/index.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Answers with the directory of the assembly. */
    assemblyUrl: string;
    /** Is removed after the run. */
    temporaryDirectory: string;
  }
}

/** Origins whose pages may call the API of the shared assembly. */
export const PAGE_ORIGINS = ["http://localhost:5173", "https://chat.example.com"];

/** A limit, so that functions check it. No test creates so many sessions. */
const MAX_SESSIONS_PER_USER = "1000";

export default async function shareAssembly({ provide }: TestProject) {
  const directory = mkdtempSync(path.join(tmpdir(), "memocha-assembly-"));
  // Node keeps compiled code there, which halves the CPU time of a command's start: the tests start about a hundred.
  process.env.NODE_COMPILE_CACHE = path.join(directory, "compile-cache");
  process.env.CORS_ORIGINS = PAGE_ORIGINS.join();
  const app = memochaApp({ maxSessionsPerUser: MAX_SESSIONS_PER_USER });
  delete process.env.CORS_ORIGINS;
  const ended = new AbortController();
  let synthesis: Promise<string> | undefined;
  const server = createServer((_request, response) => {
    synthesis ??= synthesize(app, path.join(directory, "cdk.out"), ended.signal);
    synthesis.then(
      (assembly) => response.end(assembly),
      (error: Error) => response.writeHead(500).end(error.message),
    );
  });
  const { url, close } = await listen(server, 0);
  provide("assemblyUrl", url);
  provide("temporaryDirectory", directory);
  return async () => {
    ended.abort();
    await Promise.all([close(), synthesis?.catch(() => undefined)]);
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  };
}
