import { type FileUrls, readUiChat } from "../../shared/chat/ui-chat.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { chatOperations } from "../../shared/http/operations/chat-operations.ts";
import type { Stores } from "../../shared/session/store.ts";
import { lazyHandler, openFileUrls, openHttp, openStores, openTable } from "../compose.ts";

type Dependencies = HttpDependencies & Stores & { fileUrls: FileUrls };

/** GET /v1/chat/{id} */
export function createReadUiChat(deps: Dependencies) {
  return createHttpHandler(chatOperations.readUiChat, deps, async ({ user, params }) => {
    return { status: 200, body: { messages: await readUiChat(deps, { user, id: params.id }, deps.fileUrls) } };
  });
}

export const handler = lazyHandler((config) => {
  const table = openTable(config);
  const stores = openStores(config, table);
  return createReadUiChat({ ...openHttp(config), ...stores, fileUrls: openFileUrls(config, table) });
});
