import { deleteFile, type FileDependencies } from "../../shared/files/manage-files.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { fileOperations } from "../../shared/http/operations/file-operations.ts";
import { lazyHandler, openFiles, openHttp, openTable } from "../compose.ts";

/** DELETE /v1/files/{id} */
export function createDeleteFile(deps: HttpDependencies & FileDependencies) {
  return createHttpHandler(fileOperations.deleteFile, deps, async ({ user, params }) => {
    await deleteFile(deps, user, params.id);
    return { status: 204 };
  });
}

export const handler = lazyHandler((config) => {
  return createDeleteFile({ ...openHttp(config), ...openFiles(config, openTable(config)) });
});
