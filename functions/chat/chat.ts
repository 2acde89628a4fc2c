import { wholeAnswer } from "../../shared/chat/follow-turn.ts";
import { UI_MESSAGE_STREAM_HEADERS, uiMessageStream } from "../../shared/chat/protocols/ui-message-stream.ts";
import { startTurn } from "../../shared/chat/start-turn.ts";
import { acceptsEvents } from "../../shared/http/headers.ts";
import { chatOperations } from "../../shared/http/operations/chat.ts";
import { createStreamHandler } from "../../shared/http/stream-handler.ts";
import { claimsOf } from "../../shared/idempotency/claim.ts";
import { planOf } from "../../shared/limits/plans.ts";
import { toMessage } from "../../shared/session/message.ts";
import { lazyStreamHandler } from "../compose.ts";
import { type ChatHandlerDependencies, openChat } from "../compose-chat.ts";

/** POST /v1/sessions/{id}/chat */
export const createChat = (deps: ChatHandlerDependencies) =>
  createStreamHandler(
    chatOperations.chat,
    deps,
    async ({ user, params, body, plan, repeatable, deadline, ...request }) => {
      const { content, name, metadata, max_output_tokens, model, temperature, memory } = body;
      const named = planOf(deps.plans, plan);
      request.observe({ plan: named.name });
      const turn = await startTurn(deps, {
        session: { user, id: params.id },
        plan: named,
        claims: claimsOf({ store: deps.idempotency, clock: deps.clock, newId: deps.newId }, repeatable),
        question: { role: "user", content, name, metadata },
        model,
        parameters: temperature === undefined ? {} : { temperature },
        maxOutputTokens: max_output_tokens,
        memory,
        create: true,
        onStored: request.observe,
        deadline,
      });
      if (body.stream ?? acceptsEvents(request.header("accept"))) {
        const headers = { ...turn.headers, ...UI_MESSAGE_STREAM_HEADERS };
        return { status: 200, headers, stream: uiMessageStream(turn), done: turn.done };
      }
      const message = await wholeAnswer(deps, turn);
      const answer = { message: toMessage(message, params.id), memories: turn.memories };
      return { status: 200, headers: turn.headers, body: answer };
    },
  );

export const handler = lazyStreamHandler((config, executionMode) => createChat({ ...openChat(config), executionMode }));
