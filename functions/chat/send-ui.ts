import { UI_MESSAGE_STREAM_HEADERS, uiMessageStream } from "../../shared/chat/protocols/ui-message-stream.ts";
import { startTurn } from "../../shared/chat/start-turn.ts";
import { placeUiTurn } from "../../shared/chat/ui-chat.ts";
import { chatOperations } from "../../shared/http/operations/chat-operations.ts";
import { createStreamHandler } from "../../shared/http/stream-handler.ts";
import { lazyStreamHandler } from "../compose.ts";
import { type ChatHandlerDependencies, openChat } from "../compose-chat.ts";
import { turnRequest } from "./turn-request.ts";

/** POST /v1/chat */
export const createSendUiChat = (deps: ChatHandlerDependencies) =>
  createStreamHandler(chatOperations.sendUiChat, deps, async (request) => {
    const { id, turn: asked, ...options } = request.body;
    const { question, path, places, before, system, continued } = asked;
    const common = turnRequest(deps, request, id, options);
    const place = await placeUiTurn(deps, common.session, asked);
    const turn = await startTurn(deps, { ...common, question, path, places, before, system, ...place });
    const headers = { ...turn.headers, ...UI_MESSAGE_STREAM_HEADERS };
    const message = continued === undefined ? undefined : { id: continued, parts: [] };
    const stream = uiMessageStream(turn, message && { message, isKnown: true });
    return { status: 200, headers, stream, done: turn.done };
  });

export const handler = lazyStreamHandler((config, executionMode) =>
  createSendUiChat({ ...openChat(config), executionMode }),
);
