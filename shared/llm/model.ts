/** A message as a model reads it. */
export interface PromptMessage {
  role: "system" | "user" | "assistant";
  content: string;
  /** The speaker. */
  name?: string;
}

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
  /** 0 to 2. */
  temperature?: number | undefined;
  /** Milliseconds within which the first token must arrive. */
  firstTokenWithin: number;
  signal: AbortSignal;
}

export interface ModelUsage {
  input_tokens: number;
  output_tokens: number;
}

export type FinishReason = "stop" | "length" | "content_filter";

/** Events of an answer, in order. The last one is `end`. Text is well-formed Unicode; token counts are whole and not negative. */
export type ModelEvent =
  | { kind: "text"; text: string }
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
