import { toAppError } from "../../llm/model-error.ts";

/** Headers of a stream of server-sent events. `x-accel-buffering` stops nginx from buffering it. */
export const EVENT_STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
} as const;

export const END_OF_STREAM = "data: [DONE]\n\n";

export function toEvent(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** The text that a client may see of an error after its stream has begun. */
export function errorText(error: unknown): string {
  const known = toAppError(error);
  return known.status < 500 ? known.message : "The answer broke off. The part that arrived is stored.";
}
