import { followRunningTurn } from "../../shared/chat/follow-turn.ts";
import { UI_MESSAGE_STREAM_HEADERS, uiMessageStream } from "../../shared/chat/protocols/ui-message-stream.ts";
import { continuedMessage } from "../../shared/chat/ui-chat.ts";
import { chatOperations } from "../../shared/http/operations/chat-operations.ts";
import { createStreamHandler } from "../../shared/http/stream-handler.ts";
import { lazyStreamHandler } from "../compose.ts";
import { type FollowDependencies, openFollow } from "../compose-chat.ts";

/** GET /v1/chat/{id}/stream */
export function createFollowUiChat(deps: FollowDependencies) {
  return createStreamHandler(chatOperations.followUiChat, deps, async ({ user, params, observe, deadline }) => {
    const turn = await followRunningTurn(deps, { user, id: params.id }, deadline - 1000, observe);
    if (!turn) return { status: 204 };
    // If tools are used, the turn may be a later round of an answer that the client already shows.
    const message = await continuedMessage(deps, turn);
    const stream = uiMessageStream(turn, message && { message, isKnown: false });
    return { status: 200, headers: { ...UI_MESSAGE_STREAM_HEADERS }, stream, done: turn.done };
  });
}

export const handler = lazyStreamHandler((config, executionMode) =>
  createFollowUiChat({ ...openFollow(config), executionMode }),
);
