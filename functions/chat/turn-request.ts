import type { TurnOptions } from "../../shared/chat/schema.ts";
import type { TurnRequest } from "../../shared/chat/turn.ts";
import type { HttpRequest } from "../../shared/http/http-request.ts";
import type { Operation } from "../../shared/http/operations/operation.ts";
import { claimsOf } from "../../shared/idempotency/claim.ts";
import { planOf } from "../../shared/limits/plans.ts";
import { withoutUndefined } from "../../shared/session/message.ts";
import type { ChatHandlerDependencies } from "../compose-chat.ts";

type Caller = Pick<HttpRequest<Operation>, "user" | "plan" | "person" | "repeatable" | "deadline" | "observe">;

/** Builds the request for a turn in session `id`, without its question. The turn creates the session if it is new. */
export function turnRequest(
  { plans, idempotency, clock, newId }: ChatHandlerDependencies,
  { user, plan, person, repeatable, deadline, observe }: Caller,
  id: string,
  { model, temperature, max_output_tokens, memory, incognito, tools, tool_choice }: TurnOptions,
): Omit<TurnRequest, "question"> {
  const named = planOf(plans, plan);
  observe({ plan: named.name });
  return {
    session: { user, id },
    plan: named,
    claims: claimsOf({ store: idempotency, clock, newId }, repeatable),
    model,
    parameters: withoutUndefined({ temperature, tools, tool_choice }),
    maxOutputTokens: max_output_tokens,
    incognito,
    memory: memory && !incognito && (async () => (await person()).memory),
    create: true,
    onStored: observe,
    deadline,
  };
}
