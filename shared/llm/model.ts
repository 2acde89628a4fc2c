/** A message as a model reads it, in OpenAI's form (https://platform.openai.com/docs/api-reference/chat/create). */
export interface PromptMessage {
  role: "system" | "user" | "assistant" | "tool";
  /** Text; content parts of a message with images or files; `null` for an assistant that only calls tools. */
  content: string | readonly PromptPart[] | null;
  /** The speaker. */
  name?: string;
  /** Of an assistant: the tools that it calls. A message of role `tool` follows for each. */
  tool_calls?: readonly { id: string; type: "function"; function: { name: string; arguments: string } }[];
  /** Of a tool: the call that the message answers. */
  tool_call_id?: string;
}

/** A part of a message, in OpenAI's form. */
export type PromptPart =
  | { type: "text"; text: string }
  | { type: "image_url"; image_url: { url: string } }
  | { type: "file"; file: { filename: string; file_data: string } };

export interface ModelPrompt {
  messages: readonly PromptMessage[];
  /** Tokens of the messages: an upper bound. */
  tokens: number;
  /** Maximum tokens of the answer. */
  maxOutputTokens: number;
}

export interface ModelRequest {
  /** The model asked for; the first of the configured ones when it is absent. */
  model?: string | undefined;
  /** Gives the prompt for the model that is asked, because models differ in how much they read. */
  promptFor(model: string): Promise<ModelPrompt>;
  /** Parameters of OpenAI's chat completions that reach the provider as they are: `temperature`, `tools`, `stop` and so on. */
  parameters?: Readonly<Record<string, unknown>> | undefined;
  /** Names the conversation, so that a provider finds its cache again. It says nothing of the user. */
  cacheKey?: string;
  /** Milliseconds within which the first token must arrive. */
  firstTokenWithin: number;
  signal: AbortSignal;
}

export interface ModelUsage {
  input_tokens: number;
  output_tokens: number;
  /** Of the input tokens, those that the provider read from its cache. Absent = none, or not known. */
  cached_input_tokens?: number;
}

export type FinishReason = "stop" | "length" | "content_filter" | "tool_calls";

/** A piece of an answer. Text is well-formed Unicode. */
export type AnswerPiece =
  /** `logprobs` is what the provider says about the tokens of this text, in OpenAI's form. */
  | { kind: "text"; text: string; logprobs?: unknown }
  /** The model explains why it does not answer. */
  | { kind: "refusal"; text: string; logprobs?: unknown }
  | { kind: "reasoning"; text: string }
  /** The model begins to call a tool. `id` is not empty, and no two calls of an answer have the same. */
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
  /** The model that answers: the one asked for, or a fallback. */
  model: string;
  events: AsyncIterable<ModelEvent>;
}

export interface Model {
  /**
   * Asks a language model; resolves when its first token is there. Throws a `ModelError`, and so does `events` when the answer breaks
   * off.
   */
  ask(request: ModelRequest): Promise<ModelAnswer>;
  /** Reads the state that `ask` needs, so that the read overlaps with the caller's own work. */
  lookAhead(model: string | undefined): void;
}
