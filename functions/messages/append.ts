import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { messageOperations } from "../../shared/http/operations/message-operations.ts";
import { appendMessages } from "../../shared/session/append-messages.ts";
import { findMessages } from "../../shared/session/find-messages.ts";
import { positionOf, type ShownMessage, toMessage } from "../../shared/session/message.ts";
import { refuseFuture } from "../../shared/session/schema.ts";
import type { Stores } from "../../shared/session/store.ts";
import { lazyHandler, openIdempotentHttp, openStores, openTable } from "../compose.ts";

/** POST /v1/sessions/{id}/messages */
export function createAppendMessages(deps: HttpDependencies & Stores) {
  return createHttpHandler(
    messageOperations.appendMessages,
    deps,
    async ({ user, params, body, identity, observe }) => {
      refuseFuture(body, deps.clock());
      const input = "messages" in body ? body.messages : body;
      const messages = await appendMessages(deps, { user, id: params.id }, input, identity, observe);
      return { status: 201, body: answerOf(messages, params.id), keep: () => messages.map(toKept) };
    },
    async ({ user, params }, kept: Kept[]) => {
      const parents = new Map(kept.map((one) => (typeof one === "string" ? [one, null] : one)));
      const messages = await findMessages(deps, { user, id: params.id }, [...parents.keys()]);
      const shown = messages.map((one) => ({ ...one, parent_id: parents.get(positionOf(one)) ?? null }));
      return answerOf(shown, params.id);
    },
  );
}

/** Position and parent of a message. Earlier versions kept the position alone. */
type Kept = string | [string, string | null];

const toKept = (message: ShownMessage): Kept => [positionOf(message), message.parent_id];

const answerOf = (messages: readonly ShownMessage[], session: string) => ({
  data: messages.map((message) => toMessage(message, session)),
});

export const handler = lazyHandler((config) =>
  createAppendMessages({
    ...openIdempotentHttp(config),
    ...openStores(config, openTable(config)),
  }),
);
