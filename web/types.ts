import type { AnswerOf } from "./api.ts";

export type Session = AnswerOf<"GET /v1/sessions/{id}">;
export type Message = AnswerOf<"GET /v1/sessions/{id}/messages">["data"][number];
export type Part = NonNullable<Message["parts"]>[number];
/** A memory. */
export type Remembered = AnswerOf<"GET /v1/memories">["data"][number];

/** The message that a person sends. */
export interface Draft {
  content: string;
  files: { file_id: string; media_type: string; filename: string }[];
}

/** A running answer. */
export interface LiveAnswer {
  id: string | undefined;
  text: string;
  reasoning: string;
  parts: Part[];
}
