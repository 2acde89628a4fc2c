import { followRunningTurn } from "../../shared/chat/follow-turn.ts";
import { UI_MESSAGE_STREAM_HEADERS, uiMessageStream } from "../../shared/chat/protocols/ui-message-stream.ts";
import { chatOperations } from "../../shared/http/operations/chat-operations.ts";
import { createStreamHandler } from "../../shared/http/stream-handler.ts";
import { lazyStreamHandler } from "../compose.ts";
import { type FollowDependencies, openFollow } from "../compose-chat.ts";

/** GET /v1/sessions/{id}/chat/stream */
export function createFollowChat(deps: FollowDependencies) {
  return createStreamHandler(chatOperations.followChat, deps, async ({ user, params, observe, deadline }) => {
    const turn = await followRunningTurn(deps, { user, id: params.id }, deadline - 1000, observe);
    if (!turn) return { status: 204 };
    return { status: 200, headers: { ...UI_MESSAGE_STREAM_HEADERS }, stream: uiMessageStream(turn), done: turn.done };
  });
}

export const handler = lazyStreamHandler((config, executionMode) =>
  createFollowChat({ ...openFollow(config), executionMode }),
);
