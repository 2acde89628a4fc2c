/** A message as a model reads it. */
export interface PromptMessage {
  role: "system" | "user" | "assistant";
  content: string;
  /** The speaker. */
  name?: string;
}

export interface ModelPrompt {
  messages: readonly PromptMessage[];
  /** Tokens of the messages, not less than there are. */
  tokens: number;
  /** Tokens that the answer may have. */
  maxOutputTokens: number;
}

export interface ModelRequest {
  /** The model asked for; the first of the configured ones when it is absent. */
  model?: string | undefined;
  /** What the model that is asked in the end gets to read: models differ in how much they take. */
  promptFor(model: string): Promise<ModelPrompt>;
  /** 0 to 2. */
  temperature?: number | undefined;
  /** Milliseconds from this call on within which the first token must arrive. */
  firstTokenWithin: number;
  signal: AbortSignal;
}

export interface ModelUsage {
  input_tokens: number;
  output_tokens: number;
}

export type FinishReason = "stop" | "length" | "content_filter";

/** What a model says, in order; the last event is `end`. Text is well-formed Unicode, and usage is whole and not negative. */
export type ModelEvent =
  | { kind: "text"; text: string }
  /** `usage` is `null` when the provider did not count, or counted what cannot be. */
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
  /** Learns what it has to know before it asks a model, while the caller does something else. */
  lookAhead(model: string | undefined): void;
}
