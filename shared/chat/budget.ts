import { toInstant } from "../clock.ts";
import { AppError } from "../errors.ts";
import { type FilePart, type FileView, isImage } from "../files/prompt-files.ts";
import type { Reservation } from "../limits/limits.ts";
import type { ModelPrompt } from "../llm/model.ts";
import type { ModelSpec } from "../llm/models.ts";
import { type CountTokens, loadTokenizer } from "../llm/tokenizer.ts";
import { estimateTokens } from "../llm/tokens.ts";
import type { Memory } from "../memory/memory.ts";
import { randomId } from "../random.ts";
import type { MessageRecord } from "../session/message.ts";
import type { InputPart } from "../session/parts.ts";
import type { SessionRecord } from "../session/session.ts";
import { buildPrompt, type Prompt } from "./prompt.ts";
import { groupTokens, promptGroups } from "./prompt-messages.ts";
import type { ChatDependencies, TurnRequest } from "./turn.ts";

/** Tokens allowed for a system prompt from the session's metadata, which has at most 4 KB. */
const SYSTEM_ALLOWANCE = 1400;

/** Tokens of the shortest useful answer. */
const LEAST_ANSWER = 64;

/** The tokens that a turn may use. */
export interface Budget {
  /** Maximum of prompt and answer together. */
  most: number;
  /** Minimum of prompt and answer together: a turn with less is refused. */
  least: number;
  /** Maximum of the answer. */
  output: number;
}

/**
 * Plans the budget of a turn for the longest possible prompt, because the budget is reserved while the context is read. Throws `validation_failed` for a model that is not offered, and `payload_too_large` when the question
 * alone is longer than the model's window.
 */
export async function planBudget(
  { settings, isOffered, specOf }: ChatDependencies,
  request: TurnRequest,
): Promise<Budget> {
  if (request.model !== undefined && !isOffered(request.model)) {
    throw new AppError("validation_failed", `model: ${JSON.stringify(request.model)} is not offered`, {
      fields: [{ path: "model", message: "is not offered" }],
    });
  }
  const spec = specOf(request.model ?? settings.model);
  const output = Math.min(
    request.maxOutputTokens ?? settings.maxOutputTokens,
    settings.maxOutputTokens,
    spec.context / 2,
  );
  const window = spec.context - LEAST_ANSWER;
  const fixed = await counted(spec, fixedTokens, (tokens) => tokens <= window);
  if (fixed > window) {
    throw new AppError("payload_too_large", `content: has about ${fixed} tokens, and the model reads ${window}`, {
      fields: [{ path: "content", message: "has more tokens than the model reads" }],
    });
  }
  const prompt = Math.min(Math.max(settings.maxContextTokens, fixed), window);
  return { most: Math.ceil(prompt + output), least: fixed + LEAST_ANSWER, output: Math.floor(output) };

  function fixedTokens(count: CountTokens): number {
    const system = request.system === undefined ? SYSTEM_ALLOWANCE : count(request.system);
    const { parts, ...said } = request.question;
    // Files are not resolved yet. They count when the prompt is built.
    const known = parts?.filter((part): part is Exclude<typeof part, { type: "file" }> => part.type !== "file");
    const question = promptGroups([{ ...said, ...(known ? { parts: known } : {}) }]).reduce(
      (sum, group) => sum + groupTokens(group, count),
      0,
    );
    return question + system + otherTokens(request, count);
  }
}

/**
 * Reserves more when a prompt with files has more tokens than were planned, because files are read only after the first reservation. A
 * prompt that may exceed the model's context is sent: files are estimated from above, so the provider decides. Throws `too_many_requests`.
 */
export async function enlargeReservation(
  { limits, settings, specOf, clock, newId = randomId }: ChatDependencies,
  { model = settings.model, plan }: TurnRequest,
  held: Reservation,
  { tokens }: ModelPrompt,
  { output }: Budget,
  until: number,
): Promise<Reservation> {
  if (tokens + LEAST_ANSWER <= held.tokens) return held;
  const { context } = specOf(model);
  await limits.settle(held, null, 0);
  return limits.reserve({
    user: held.user,
    plan: { ...plan, requests_per_minute: 0 },
    isCounted: true,
    id: newId(),
    // With room for the history beside the files.
    tokens: Math.min(context, tokens + settings.maxContextTokens + output),
    least: Math.min(context, tokens + LEAST_ANSWER),
    now: clock(),
    until,
  });
}

/** Throws `validation_failed` when the parts of the question have an image and the model takes none. */
export function refuseImages(
  { settings, specOf }: Pick<ChatDependencies, "settings" | "specOf">,
  { model = settings.model, path: question = "" }: TurnRequest,
  parts: readonly InputPart[] = [],
): void {
  const at = parts.findIndex((part) => part.type === "file" && isImage({ media_type: typeOf(part) }));
  if (at < 0 || specOf(model).images !== false) return;
  const [path, message] = [`${question}parts.${at}`, `is an image, and the model ${JSON.stringify(model)} takes none`];
  throw new AppError("validation_failed", `${path}: ${message}`, { fields: [{ path, message }] });
}

/** The type of a `data:` URL or of a stored file. */
const typeOf = ({ data, media_type = "" }: Extract<InputPart, { type: "file" }>): string =>
  data === undefined ? media_type : (/^data:([^,;]*)/.exec(data)?.[1] ?? "").toLowerCase();

/** Tokens of the definitions of tools and of an output schema, which providers count as part of the prompt. */
function otherTokens({ parameters = {} }: TurnRequest, count: CountTokens): number {
  const { tools, response_format } = parameters;
  return [tools, response_format].reduce<number>((sum, given) => sum + (given ? count(JSON.stringify(given)) : 0), 0);
}

/** Returns the prompt for a model, and the memories that it contains. */
export type PromptFor = (model: string) => Promise<ModelPrompt & { memories: Memory[] }>;

/** What a prompt is made of. */
export interface Material {
  record: SessionRecord;
  history: readonly MessageRecord[];
  /** How many messages the session has before `history`. */
  skipped: number;
  question: MessageRecord;
  memories: readonly Memory[];
  /** The files of the messages. Absent = there are none. */
  files?: FileView | undefined;
}

/** Builds the prompt for each model that is asked, within the model's window and the reservation. */
export function promptsOf(
  { settings, specOf, clock }: ChatDependencies,
  request: TurnRequest,
  budget: Budget,
  reserved: number,
  { record, history, skipped, question, memories, files }: Material,
): PromptFor {
  const own = record.metadata.system_prompt;
  const system = request.system ?? (typeof own === "string" ? own : settings.systemPrompt);
  const made = new Map<string, ReturnType<PromptFor>>();
  return (model) => {
    const prompt = made.get(model) ?? make(specOf(model));
    made.set(model, prompt);
    return prompt;
  };

  async function make(spec: ModelSpec): ReturnType<PromptFor> {
    const room = Math.min(reserved, spec.context);
    const output = Math.max(LEAST_ANSWER, Math.min(budget.output, Math.floor(room / 2)));
    const today = toInstant(clock()).slice(0, "2026-11-21".length);
    const takes = { images: spec.images !== false, pdf: spec.images === true };
    const fileOf = files && ((part: FilePart) => files(part, takes));
    const input = {
      system,
      memories,
      history,
      skipped,
      questions: [question],
      maxTokens: room - output,
      today,
      fileOf,
    };
    const prompt: Prompt = await counted(
      spec,
      (count) => buildPrompt({ ...input, count, otherTokens: otherTokens(request, count) }),
      ({ isWhole }) => isWhole,
    );
    const left = room - prompt.tokens;
    // A long question leaves less for the answer. If nothing seems left, files were estimated too high.
    return { ...prompt, maxOutputTokens: Math.min(budget.output, left < LEAST_ANSWER ? output : left) };
  }
}

/**
 * Computes a result with estimated tokens. If the result is not good enough, computes it again with the model's tokenizer, if that is known.
 * The estimate is an upper bound only for the newer encoding.
 */
async function counted<T>(
  { encoding }: ModelSpec,
  make: (count: CountTokens) => T,
  isGoodEnough: (result: T) => boolean,
): Promise<T> {
  const estimated = make(estimateTokens);
  if (encoding === undefined || (encoding === "o200k_base" && isGoodEnough(estimated))) return estimated;
  return make(await loadTokenizer(encoding));
}
