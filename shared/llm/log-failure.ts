import { log } from "../log.ts";
import type { ModelPrompt } from "./model.ts";
import type { ModelError } from "./model-error.ts";

/** Minimum length of a common text of a provider's explanation and a conversation that cannot be chance, in characters. */
const QUOTATION = 12;

/** Minimum length of a message that is removed when it is quoted completely, in characters. */
const SHORTEST = 4;

/**
 * Logs a provider's error for operators. It omits text that the error quotes from the conversation, and the name of a model that the
 * deployment does not know, because the name can be any text of the client.
 */
export function logModelFailure(
  { message, failure, status, said }: ModelError,
  { model, isKnown, ...target }: { provider?: string; model: string; isKnown: boolean },
  prompt: Pick<ModelPrompt, "messages">,
): void {
  const messages = isKnown ? prompt.messages : [...prompt.messages, { role: "user" as const, content: model }];
  log("warn", {
    message,
    ...target,
    model: isKnown ? model : "unknown",
    failure,
    status,
    provider_code: said.code,
    provider_message: said.message && withoutQuotations(said.message, messages),
  });
}

function withoutQuotations(explanation: string, messages: ModelPrompt["messages"]): string {
  const contents = messages.map(({ content }) => (typeof content === "string" ? content : JSON.stringify(content)));
  const short = contents.filter(({ length }) => length >= SHORTEST && length < QUOTATION);
  const text = short.reduce((left, content) => left.replaceAll(content, "…"), explanation);
  const said = contents.join("\n");
  let cleared = "";
  for (let from = 0; from < text.length; ) {
    let to = from + QUOTATION;
    if (to > text.length || !said.includes(text.slice(from, to))) {
      cleared += text[from++];
      continue;
    }
    while (to < text.length && said.includes(text.slice(from, to + 1))) to++;
    cleared += "…";
    from = to;
  }
  return cleared;
}
