/** A message of a prompt, in OpenAI's form (https://platform.openai.com/docs/api-reference/chat/create). */
export interface PromptMessage {
  role: "system" | "user" | "assistant" | "tool";
  /** Text, or parts if there are images or files; `null` for an assistant that only calls tools. */
  content: string | readonly PromptPart[] | null;
  /** The speaker. */
  name?: string;
  /** Only of an assistant: the tools that it calls. A message of the role `tool` follows for each. */
  tool_calls?: readonly { id: string; type: "function"; function: { name: string; arguments: string } }[];
  /** Only of a tool: the id of the call that the message answers. */
  tool_call_id?: string;
}

/** OpenAI accepts only these characters in the name of a speaker or a tool. */
export const safeName = (name: string): string => name.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 64);

/** A part of a message, in OpenAI's form. */
export type PromptPart =
  | { type: "text"; text: string }
  | { type: "image_url"; image_url: { url: string } }
  | { type: "file"; file: { filename: string; file_data: string } };

export interface ModelPrompt {
  messages: readonly PromptMessage[];
  /** Upper bound of the tokens of the messages. */
  tokens: number;
  /** Maximum tokens of the answer. */
  maxOutputTokens: number;
}

export interface ModelRequest {
  /** The model to ask. @default the first configured model */
  model?: string | undefined;
  /** Returns the prompt for a model, because models differ in the size of their context. */
  promptFor(model: string): Promise<ModelPrompt>;
  /** Parameters of OpenAI's chat completions that are sent to the provider unchanged: `temperature`, `tools`, `stop` and so on. */
  parameters?: Readonly<Record<string, unknown>> | undefined;
  /** Identifies the conversation, so that the provider finds its cache. It does not reveal the user. */
  cacheKey?: string;
  /** Milliseconds within which the first token must arrive. */
  firstTokenWithin: number;
  signal: AbortSignal;
}

export interface ModelUsage {
  input_tokens: number;
  output_tokens: number;
  /** The input tokens that the provider read from its cache. Absent = none, or not known. */
  cached_input_tokens?: number;
}

export type FinishReason = "stop" | "length" | "content_filter" | "tool_calls";

/** A piece of an answer. Text is well-formed Unicode. */
export type AnswerPiece =
  /** `logprobs` are the provider's probabilities of the tokens of this text, in OpenAI's form. */
  | { kind: "text"; text: string; logprobs?: unknown }
  /** The text with which the model refuses to answer. */
  | { kind: "refusal"; text: string; logprobs?: unknown }
  | { kind: "reasoning"; text: string }
  /** The model begins to call a tool. `id` is not empty and unique within the answer. */
  | { kind: "tool_call"; id: string; name: string }
  /** The next piece of the JSON text that is the input of call `id`. Pieces of parallel calls may alternate. */
  | { kind: "tool_input"; id: string; text: string }
  /** A page that the model quotes. */
  | { kind: "source"; url: string; title?: string };

/** Events of an answer, in order. The last one is `end`. Token counts are whole and not negative. */
export type ModelEvent =
  | AnswerPiece
  /** `usage` is `null` when the provider's counts are missing or invalid. */
  | { kind: "end"; reason: FinishReason; usage: ModelUsage | null };

/** An answer whose first token has arrived. */
export interface ModelAnswer {
  /** The model that answers: the requested one or a fallback. */
  model: string;
  events: AsyncIterable<ModelEvent>;
}

export interface Model {
  /**
   * Asks a language model, and resolves when the first token has arrived. Throws a `ModelError`. `events` also throws one when the provider
   * fails during the answer.
   */
  ask(request: ModelRequest): Promise<ModelAnswer>;
  /** Starts to read the state that `ask` needs, so that the read overlaps with other work of the caller. */
  lookAhead(model: string | undefined): void;
}
