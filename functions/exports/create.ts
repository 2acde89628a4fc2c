import { createExportStore } from "../../shared/exports/export-store.dynamodb.ts";
import { type ExportStore, findExport, requestExport } from "../../shared/exports/export-store.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { exportOperations } from "../../shared/http/operations/export-operations.ts";
import { lazyHandler, openExportTable, openIdempotentHttp } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  exports: ExportStore;
}

/** POST /v1/exports: begins an export. `functions/jobs/build-export.ts` builds its zip. */
export function createCreateExport(deps: Dependencies) {
  return createHttpHandler(
    exportOperations.createExport,
    deps,
    async ({ user, identity }) => {
      const { id, status, created_at } = await requestExport(deps.exports, user, identity, deps.clock());
      return { status: 202, body: { id, status, created_at }, keep: () => id };
    },
    async ({ user }, kept: string) => {
      const { id, status, created_at } = await findExport(deps.exports, user, kept, deps.clock());
      return { id, status, created_at };
    },
  );
}

export const handler = lazyHandler((config) => {
  return createCreateExport({ ...openIdempotentHttp(config), exports: createExportStore(openExportTable(config)) });
});
