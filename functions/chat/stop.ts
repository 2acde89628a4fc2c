import { type StopDependencies, stopTurns } from "../../shared/chat/stop-turn.ts";
import { createTurnStore } from "../../shared/chat/turn-store.dynamodb.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { chatOperations } from "../../shared/http/operations/chat-operations.ts";
import { createSessionStore } from "../../shared/session/session-store.dynamodb.ts";
import { lazyHandler, openIdempotentHttp, openTable } from "../compose.ts";

/** POST /v1/sessions/{id}/stop */
export function createStopChat(deps: HttpDependencies & StopDependencies) {
  return createHttpHandler(chatOperations.stopChat, deps, async ({ user, params, observe }) => {
    const answer = await stopTurns(deps, { user, id: params.id }, observe);
    return { status: 200, body: answer ? { stopped: true, message_id: answer.id } : { stopped: false } };
  });
}

export const handler = lazyHandler((config) => {
  const table = openTable(config);
  const http = openIdempotentHttp(config);
  return createStopChat({ ...http, sessions: createSessionStore(table), turns: createTurnStore(table) });
});
