import { log } from "../log.ts";
import type { ModelPrompt } from "./model.ts";
import type { ModelError } from "./model-error.ts";

/** Characters in a row that a provider's explanation and a conversation do not share by chance. */
const QUOTATION = 12;

/** Characters of the shortest message that is removed where it is quoted whole. */
const SHORTEST = 4;

/** Logs a provider's error for operators, without the text that it quotes from the conversation. */
export function logModelFailure(
  { message, failure, status, said }: ModelError,
  target: { provider?: string; model: string },
  { messages }: ModelPrompt,
): void {
  log("warn", {
    message,
    ...target,
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
