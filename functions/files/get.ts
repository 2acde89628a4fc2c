import { type FileDependencies, findFile } from "../../shared/files/manage-files.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { fileOperations } from "../../shared/http/operations/file-operations.ts";
import { lazyHandler, openFiles, openHttp, openTable } from "../compose.ts";
import { fileResponse } from "./file-response.ts";

/** GET /v1/files/{id} */
export function createGetFile(deps: HttpDependencies & FileDependencies) {
  return createHttpHandler(fileOperations.getFile, deps, async ({ user, params }) => {
    return { status: 200, body: await fileResponse(deps, await findFile(deps, user, params.id)) };
  });
}

export const handler = lazyHandler((config) => {
  return createGetFile({ ...openHttp(config), ...openFiles(config, openTable(config)) });
});
