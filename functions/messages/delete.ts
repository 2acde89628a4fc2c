import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { messageOperations } from "../../shared/http/operations/message-operations.ts";
import { deleteMessage } from "../../shared/session/delete-message.ts";
import type { Stores } from "../../shared/session/store.ts";
import { lazyHandler, openHttp, openStores, openTable } from "../compose.ts";

/** DELETE /v1/sessions/{id}/messages/{message_id} */
export const createDeleteMessage = (deps: HttpDependencies & Stores) =>
  createHttpHandler(messageOperations.deleteMessage, deps, async ({ user, params }) => {
    await deleteMessage(deps, { user, id: params.id }, params.message_id);
    return { status: 204 };
  });

export const handler = lazyHandler((config) => {
  const stores = openStores(config, openTable(config));
  return createDeleteMessage({ ...openHttp(config), ...stores });
});
