import { AppError } from "../errors.ts";
import type { ModelPrompt } from "../llm/model.ts";
import { estimateTokens, messageTokens } from "../llm/tokens.ts";
import type { Memory } from "../memory/memory.ts";
import type { MessageRecord } from "../session/message.ts";
import type { SessionRecord } from "../session/session.ts";
import { buildPrompt } from "./prompt.ts";
import type { ChatDependencies, TurnRequest } from "./turn.ts";

/** Tokens that a session's own system prompt may have: metadata has 4 KB at most. */
const SYSTEM_ALLOWANCE = 1400;

/** Tokens of an answer that is worth having. */
const LEAST_ANSWER = 64;

/** What a turn may use, in tokens. */
export interface Budget {
  /** Of the prompt and the answer. */
  most: number;
  /** With less the turn is not worth running. */
  least: number;
  /** Of the answer. */
  output: number;
}

/**
 * What a turn needs, before anything was read: the reservation is made at the same time as the Query, so it is for the longest prompt
 * that there may be. Throws `validation_failed` for a model that is not offered, and `payload_too_large` when the question alone is
 * longer than the model's window.
 */
export function planBudget({ settings, isOffered, specOf }: ChatDependencies, request: TurnRequest): Budget {
  if (request.model !== undefined && !isOffered(request.model)) {
    throw new AppError("validation_failed", `model: ${JSON.stringify(request.model)} is not offered`, {
      fields: [{ path: "model", message: "is not offered" }],
    });
  }
  const { context } = specOf(request.model ?? settings.model);
  const output = Math.min(request.maxOutputTokens ?? settings.maxOutputTokens, settings.maxOutputTokens, context / 2);
  const fixed =
    messageTokens(request.question.content, request.question.name) +
    (request.system === undefined ? SYSTEM_ALLOWANCE : estimateTokens(request.system));
  const window = context - LEAST_ANSWER;
  if (fixed > window) {
    throw new AppError("payload_too_large", `content: has about ${fixed} tokens, and the model reads ${window}`, {
      fields: [{ path: "content", message: "has more tokens than the model reads" }],
    });
  }
  const prompt = Math.min(Math.max(settings.maxContextTokens, fixed), window);
  return { most: Math.ceil(prompt + output), least: fixed + LEAST_ANSWER, output: Math.floor(output) };
}

interface Material {
  record: SessionRecord;
  history: readonly MessageRecord[];
  question: MessageRecord;
  memories: readonly Memory[];
}

/** The prompt for each model that may be asked, within its window and within what was set aside. */
export function promptsOf(
  { settings, specOf }: ChatDependencies,
  request: TurnRequest,
  budget: Budget,
  reserved: number,
  { record, history, question, memories }: Material,
): (model: string) => ModelPrompt & { memories: Memory[] } {
  const own = record.metadata.system_prompt;
  const system = request.system ?? (typeof own === "string" ? own : settings.systemPrompt);
  const made = new Map<string, ModelPrompt & { memories: Memory[] }>();
  return (model) => {
    const known = made.get(model);
    if (known) return known;
    const room = Math.min(reserved, specOf(model).context);
    const output = Math.max(LEAST_ANSWER, Math.min(budget.output, Math.floor(room / 2)));
    const prompt = buildPrompt({ system, memories, history, questions: [question], maxTokens: room - output });
    // A long question leaves less for the answer.
    const maxOutputTokens = Math.max(1, Math.min(budget.output, room - prompt.tokens));
    const fitting = { ...prompt, maxOutputTokens };
    made.set(model, fitting);
    return fitting;
  };
}
