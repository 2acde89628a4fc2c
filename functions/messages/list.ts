import type { HttpDependencies } from "../../shared/http/chain.ts";
import { decodeCursor, encodeCursor } from "../../shared/http/cursor.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { messageOperations } from "../../shared/http/operations/message-operations.ts";
import { checkRange } from "../../shared/http/range.ts";
import { listMessages } from "../../shared/session/list-messages.ts";
import { POSITION, positionOf, toMessage } from "../../shared/session/message.ts";
import type { Stores } from "../../shared/session/store.ts";
import { lazyHandler, openHttp, openStores, openTable } from "../compose.ts";

const BRANCH = /^\d{1,4}$/;

/** GET /v1/sessions/{id}/messages */
export function createListMessages(deps: HttpDependencies & Stores) {
  return createHttpHandler(messageOperations.listMessages, deps, async ({ user, params, query }) => {
    const { limit, cursor, ...filters } = query;
    checkRange(filters);
    const scope = ["messages", user, params.id, filters];
    // The pages of a list stay on the branch that was current at the first one.
    const [after, branch] = decodeCursor(scope, cursor, [POSITION, BRANCH]);
    const pinned = branch === undefined ? undefined : Number(branch);
    const page = await listMessages(deps, { user, id: params.id }, { ...filters, limit, after, pinned });
    const last = page.messages.at(-1);
    return {
      status: 200,
      body: {
        data: page.messages.map((message) => toMessage(message, params.id)),
        next_cursor: page.more && last ? encodeCursor(scope, [positionOf(last), String(page.branch)]) : null,
      },
    };
  });
}

export const handler = lazyHandler((config) => {
  return createListMessages({
    ...openHttp(config),
    ...openStores(config, openTable(config)),
  });
});
