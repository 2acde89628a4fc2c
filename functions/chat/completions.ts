import {
  completion,
  completionStream,
  completionTurn,
  namedAsContent,
} from "../../shared/chat/protocols/completion.ts";
import { EVENT_STREAM_HEADERS } from "../../shared/chat/protocols/event-stream.ts";
import { startTurn } from "../../shared/chat/start-turn.ts";
import { AppError } from "../../shared/errors.ts";
import { chatOperations } from "../../shared/http/operations/chat-operations.ts";
import { createStreamHandler } from "../../shared/http/stream-handler.ts";
import { validate } from "../../shared/http/validate.ts";
import { claimsOf } from "../../shared/idempotency/claim.ts";
import { withSdkRetries } from "../../shared/idempotency/sdk-retry.ts";
import { planOf } from "../../shared/limits/plans.ts";
import { timeOrderedId } from "../../shared/session/message.ts";
import { idSchema } from "../../shared/session/schema.ts";
import { lazyStreamHandler } from "../compose.ts";
import { type ChatHandlerDependencies, openChat } from "../compose-chat.ts";

/** POST /v1/chat/completions */
export function createCompletions(deps: ChatHandlerDependencies) {
  return createStreamHandler(
    chatOperations.createCompletion,
    deps,
    async ({ user, body, plan, repeatable, deadline, ...request }) => {
      if (body.model !== undefined && !deps.isOffered(body.model)) throw unknownModel(body.model);
      const named = planOf(deps.plans, plan);
      request.observe({ plan: named.name });
      const header = request.header("x-session-id");
      const session = body.metadata?.session_id ?? (header && validate(idSchema, header, "X-Session-Id"));
      const attempts = withSdkRetries(repeatable, request.header("x-stainless-retry-count"), header);
      const claims = claimsOf({ store: deps.idempotency, clock: deps.clock, newId: deps.newId }, attempts);
      const turn = await start().catch((error) => Promise.reject(namedAsContent(error)));
      const headers = { ...turn.headers, "x-session-id": turn.session.id };
      if (body.stream) {
        const stream = completionStream(turn, body.stream_options?.include_usage === true);
        return { status: 200, headers: { ...headers, ...EVENT_STREAM_HEADERS }, stream, done: turn.done };
      }
      return { status: 200, headers, body: await completion(turn) };

      async function start() {
        // Without a named session the turn gets its own: its id comes from the claim, so that a repeat finds the same session.
        const id = session || timeOrderedId(claims.own ?? (await claims.claim()).identity, 0);
        return startTurn(deps, {
          ...completionTurn(body),
          session: { user, id },
          plan: named,
          claims,
          create: true,
          isNew: !session,
          onStored: request.observe,
          deadline,
        });
      }
    },
  );
}

const unknownModel = (model: string): AppError =>
  new AppError("model_not_found", `model: ${JSON.stringify(model)} is not offered: GET /v1/models lists the models`, {
    fields: [{ path: "model", message: "is not offered" }],
  });

export const handler = lazyStreamHandler((config, executionMode) =>
  createCompletions({ ...openChat(config), executionMode }),
);
