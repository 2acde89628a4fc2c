import { createWriteProbe } from "../../shared/dynamodb/write-probe.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { systemOperations } from "../../shared/http/operations/system-operations.ts";
import type { Archive } from "../../shared/session/archive.ts";
import { createSessionStore } from "../../shared/session/session-store.dynamodb.ts";
import type { SessionStore } from "../../shared/session/store.ts";
import { clock, lazyHandler, openArchive, openHttp, openTable } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  sessions: Pick<SessionStore, "countActive">;
  archive: Pick<Archive, "ping">;
  /** Throws if the table accepts no writes. */
  tryWrite: () => Promise<void>;
  version: string;
}

/** GET /health */
export function createHealth(deps: Dependencies) {
  return createHttpHandler(systemOperations.getHealth, deps, async () => {
    const [active, written, archive] = await Promise.allSettled([
      deps.sessions.countActive(),
      deps.tryWrite(),
      deps.archive.ping(),
    ]);
    const canWrite = written.status === "fulfilled";
    const isOk = active.status === "fulfilled" && canWrite && archive.status === "fulfilled";
    return {
      status: isOk ? 200 : 503,
      ...(isOk ? {} : { headers: { "retry-after": "5" } }),
      body: {
        status: isOk ? "ok" : "degraded",
        dynamodb: active.status !== "fulfilled" ? "disconnected" : canWrite ? "connected" : "read_only",
        archive: archive.status === "fulfilled" ? "connected" : "disconnected",
        active_sessions: active.status === "fulfilled" ? active.value : null,
        version: deps.version,
      },
    };
  });
}

export const handler = lazyHandler((config) => {
  const table = openTable(config);
  return createHealth({
    ...openHttp(config),
    sessions: createSessionStore(table),
    tryWrite: createWriteProbe(table, clock),
    archive: openArchive(config),
    version: config.MEMOCHA_VERSION,
  });
});
