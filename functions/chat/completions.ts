import { completion, completionStream, completionTurn } from "../../shared/chat/protocols/completion.ts";
import { EVENT_STREAM_HEADERS } from "../../shared/chat/protocols/event-stream.ts";
import { startTurn } from "../../shared/chat/start-turn.ts";
import { AppError } from "../../shared/errors.ts";
import { chatOperations } from "../../shared/http/operations/chat.ts";
import { createStreamHandler } from "../../shared/http/stream-handler.ts";
import { validate } from "../../shared/http/validate.ts";
import { claimsOf } from "../../shared/idempotency/claim.ts";
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
      const claims = claimsOf({ store: deps.idempotency, clock: deps.clock, newId: deps.newId }, repeatable);
      // A session that nobody names is the request's own: a repeat has to come to the same one.
      const { identity } = session ? request : await claims.claim();
      const turn = await startTurn(deps, {
        ...completionTurn(body),
        session: { user, id: session || timeOrderedId(identity, 0) },
        plan: named,
        claims,
        create: true,
        isNew: !session,
        onStored: request.observe,
        deadline,
      });
      const headers = { ...turn.headers, "x-session-id": turn.session.id };
      if (body.stream) {
        const stream = completionStream(turn, body.stream_options?.include_usage === true);
        return { status: 200, headers: { ...headers, ...EVENT_STREAM_HEADERS }, stream, done: turn.done };
      }
      return { status: 200, headers, body: await completion(turn) };
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
