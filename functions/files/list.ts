import { type FileDependencies, listFiles } from "../../shared/files/manage-files.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { decodeCursor, encodeCursor } from "../../shared/http/cursor.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { fileOperations } from "../../shared/http/operations/file-operations.ts";
import { lazyHandler, openFiles, openHttp, openTable } from "../compose.ts";
import { fileResponse } from "./file-response.ts";

/** GET /v1/files */
export function createListFiles(deps: HttpDependencies & FileDependencies) {
  return createHttpHandler(fileOperations.listFiles, deps, async ({ user, query: { limit, cursor } }) => {
    const scope = ["files", user];
    const [after] = decodeCursor(scope, cursor, [/^[0-9a-f-]{36}$/]);
    const { files, last } = await listFiles(deps, user, { limit, after });
    return {
      status: 200,
      body: {
        data: await Promise.all(files.map((file) => fileResponse(deps, file))),
        next_cursor: last === undefined ? null : encodeCursor(scope, [last]),
      },
    };
  });
}

export const handler = lazyHandler((config) => {
  return createListFiles({ ...openHttp(config), ...openFiles(config, openTable(config)) });
});
