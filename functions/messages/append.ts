import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { messageOperations } from "../../shared/http/operations/messages.ts";
import { appendMessages } from "../../shared/session/append-messages.ts";
import { findMessages } from "../../shared/session/find-messages.ts";
import { type MessageRecord, positionOf, toMessage } from "../../shared/session/message.ts";
import { refuseFuture } from "../../shared/session/schema.ts";
import type { Stores } from "../../shared/session/store.ts";
import { lazyHandler, openArchiveLater, openIdempotentHttp, openStores, openTable } from "../compose.ts";

/** POST /v1/sessions/{id}/messages */
export const createAppendMessages = (deps: HttpDependencies & Stores) =>
  createHttpHandler(
    messageOperations.appendMessages,
    deps,
    async ({ user, params, body, identity, observe }) => {
      refuseFuture(body, deps.clock());
      const inputs = "messages" in body ? body.messages : [body];
      const messages = await appendMessages(deps, { user, id: params.id }, inputs, identity, observe);
      return { status: 201, body: answerOf(messages, params.id), keep: () => messages.map(positionOf) };
    },
    async ({ user, params }, positions: string[]) =>
      answerOf(await findMessages(deps, { user, id: params.id }, positions), params.id),
  );

const answerOf = (messages: readonly MessageRecord[], session: string) => ({
  data: messages.map((message) => toMessage(message, session)),
});

export const handler = lazyHandler((config) => {
  const table = openTable(config);
  return createAppendMessages({
    ...openIdempotentHttp(config, table),
    ...openStores(config, table, openArchiveLater(config)),
  });
});
