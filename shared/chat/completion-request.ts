import type { MessageInput } from "../session/schema.ts";
import type { CompletionRequest } from "./schema.ts";
import type { TurnRequest } from "./turn.ts";

/** Questions of a request are those after the last answer; what stands before is history that the client has kept itself. */
export function completionTurn(
  body: CompletionRequest,
): Pick<
  TurnRequest,
  "question" | "before" | "since" | "system" | "model" | "temperature" | "maxOutputTokens" | "memory"
> {
  const isInstruction = (role: string) => role === "system" || role === "developer";
  const system = body.messages.filter(({ role }) => isInstruction(role)).map(({ content }) => content);
  const said = body.messages
    .filter(({ role, content }) => !isInstruction(role) && content !== "")
    .map(({ role, content, name }) => ({ role, content, ...(name ? { name } : {}) }) as MessageInput);
  const lastAnswer = said.findLastIndex(({ role }) => role === "assistant");
  const { role = "user", content = "", name } = said.at(-1) ?? {};
  return {
    question: { role, content, name },
    before: said.slice(0, -1),
    since: said.slice(lastAnswer + 1, -1),
    system: system.length > 0 ? system.join("\n\n") : undefined,
    model: body.model,
    temperature: body.temperature ?? undefined,
    maxOutputTokens: body.max_completion_tokens ?? body.max_tokens ?? undefined,
    memory: body.metadata?.memory !== false && body.metadata?.memory !== "false",
  };
}
