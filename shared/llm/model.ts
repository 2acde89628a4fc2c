/** A message as a model reads it. */
export interface PromptMessage {
  role: "system" | "user" | "assistant";
  content: string;
  /** The speaker. */
  name?: string;
}

export interface ModelRequest {
  /** The model asked for; the first of the configured ones when it is absent. */
  model?: string | undefined;
  messages: readonly PromptMessage[];
  /** Tokens that the answer may have. */
  maxOutputTokens: number;
  /** 0 to 2. */
  temperature?: number | undefined;
  /** Tokens of the prompt, estimated: what a limit on tokens per minute is charged with. */
  inputTokens: number;
  /** Epoch milliseconds by which the first token must be there. */
  deadline: number;
  signal: AbortSignal;
}

export interface ModelUsage {
  input_tokens: number;
  output_tokens: number;
}

export type FinishReason = "stop" | "length" | "content_filter";

/** What a model says, in order; the last event is `end`. */
export type ModelEvent =
  | { kind: "text"; text: string }
  | { kind: "end"; reason: FinishReason; usage: ModelUsage | null };

/** An answer whose first token has arrived. */
export interface ModelAnswer {
  /** The model that answers: the one asked for, or a fallback. */
  model: string;
  events: AsyncIterable<ModelEvent>;
}

/**
 * Asks a language model; resolves when its first token is there. Throws a `ModelError`, and so does `events` when the answer
 * breaks off.
 */
export type Model = (request: ModelRequest) => Promise<ModelAnswer>;
