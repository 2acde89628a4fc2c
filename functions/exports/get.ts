import { toInstant } from "../../shared/clock.ts";
import type { ExportObjects } from "../../shared/exports/build-export.ts";
import { openExportObjects } from "../../shared/exports/export-objects.s3.ts";
import { createExportStore } from "../../shared/exports/export-store.dynamodb.ts";
import { type ExportStore, findExport } from "../../shared/exports/export-store.ts";
import { URL_SECONDS } from "../../shared/files/file.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { exportOperations } from "../../shared/http/operations/export-operations.ts";
import { lazyHandler, openExportTable, openHttp } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  exports: ExportStore;
  objects: Pick<ExportObjects, "sign">;
}

/** GET /v1/exports/{id} */
export function createGetExport(deps: Dependencies) {
  return createHttpHandler(exportOperations.getExport, deps, async ({ user, params }) => {
    const now = deps.clock();
    const record = await findExport(deps.exports, user, params.id, now);
    const { id, status, created_at, expires_at, result } = record;
    const seconds = Math.min(URL_SECONDS, Math.ceil(expires_at - now / 1000));
    const ready = status === "ready" &&
      result && {
        url: await deps.objects.sign(record, `memocha-export-${created_at.slice(0, 10)}.zip`, seconds),
        ...result,
      };
    return { status: 200, body: { id, status, created_at, ...ready, expires_at: toInstant(expires_at * 1000) } };
  });
}

export const handler = lazyHandler((config) => {
  return createGetExport({
    ...openHttp(config),
    exports: createExportStore(openExportTable(config)),
    objects: openExportObjects(config.ARCHIVE_BUCKET),
  });
});
