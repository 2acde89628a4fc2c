import { followTurn } from "../../shared/chat/follow-turn.ts";
import { UI_MESSAGE_STREAM_HEADERS, uiMessageStream } from "../../shared/chat/protocols/ui-message-stream.ts";
import { AppError } from "../../shared/errors.ts";
import { chatOperations } from "../../shared/http/operations/chat-operations.ts";
import { createStreamHandler } from "../../shared/http/stream-handler.ts";
import { lazyStreamHandler } from "../compose.ts";
import { type FollowDependencies, openFollow } from "../compose-chat.ts";

/** GET /v1/sessions/{id}/chat/{message_id}/stream */
export function createResumeChat(deps: FollowDependencies) {
  return createStreamHandler(chatOperations.resumeChat, deps, async ({ user, params, observe, deadline }) => {
    const turn = await followTurn(deps, { user, id: params.id }, params.message_id, deadline - 1000, observe);
    if (!turn) throw new AppError("not_found", "no such answer");
    return { status: 200, headers: { ...UI_MESSAGE_STREAM_HEADERS }, stream: uiMessageStream(turn), done: turn.done };
  });
}

export const handler = lazyStreamHandler((config, executionMode) =>
  createResumeChat({ ...openFollow(config), executionMode }),
);
