import { askAgain } from "../../shared/chat/ask-again.ts";
import { wholeAnswer } from "../../shared/chat/follow-turn.ts";
import { UI_MESSAGE_STREAM_HEADERS, uiMessageStream } from "../../shared/chat/protocols/ui-message-stream.ts";
import { startTurn } from "../../shared/chat/start-turn.ts";
import { acceptsEvents } from "../../shared/http/headers.ts";
import { chatOperations } from "../../shared/http/operations/chat-operations.ts";
import { createStreamHandler } from "../../shared/http/stream-handler.ts";
import { toMessage } from "../../shared/session/message.ts";
import { bodyOf } from "../../shared/session/parts.ts";
import { lazyStreamHandler } from "../compose.ts";
import { type ChatHandlerDependencies, openChat } from "../compose-chat.ts";
import { turnRequest } from "./turn-request.ts";

/** POST /v1/sessions/{id}/chat */
export const createChat = (deps: ChatHandlerDependencies) =>
  createStreamHandler(chatOperations.chat, deps, async (request) => {
    const { params, body } = request;
    const { name, metadata, parent_id, regenerate } = body;
    const asked = turnRequest(deps, request, params.id, body);
    const role = body.parts?.[0]?.type === "tool_result" ? "tool" : "user";
    const place =
      regenerate === undefined
        ? { question: { role, ...bodyOf(body), name, metadata } as const, parent: parent_id }
        : await askAgain(deps, asked.session, regenerate);
    const turn = await startTurn(deps, { ...asked, ...place });
    if (body.stream ?? acceptsEvents(request.header("accept"))) {
      const headers = { ...turn.headers, ...UI_MESSAGE_STREAM_HEADERS };
      return { status: 200, headers, stream: uiMessageStream(turn), done: turn.done };
    }
    const message = await wholeAnswer(deps, turn);
    const answer = { message: toMessage(message, params.id), memories: turn.memories };
    return { status: 200, headers: turn.headers, body: answer };
  });

export const handler = lazyStreamHandler((config, executionMode) => createChat({ ...openChat(config), executionMode }));
