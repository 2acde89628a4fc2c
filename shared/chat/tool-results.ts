import { AppError } from "../errors.ts";
import { type MessageRecord, timeOrderedId } from "../session/message.ts";
import type { MessageInput } from "../session/schema.ts";
import type { RequestIdentity } from "../session/session.ts";

/**
 * Checks that each result of a tool in a request answers a call that is in the session or in the request, and that the call has no result
 * yet. Returns whether there are any, because then nothing may be written before they are stored. Throws `validation_failed`. Messages that an
 * earlier attempt at the request has stored do not count.
 */
export function checkResults(
  stored: readonly MessageRecord[],
  earlier: readonly MessageInput[],
  question: MessageRecord,
  identity: RequestIdentity,
): boolean {
  const planned = earlier.map(({ id, parts }, n) => ({ id: id ?? timeOrderedId(identity, n), parts }));
  const asked = [...planned, question];
  if (!asked.some(({ parts = [] }) => parts.some(({ type }) => type === "tool_result"))) return false;
  const own = new Set(asked.map(({ id }) => id));
  /** Whether a call waits for its result, by its id. */
  const isOpen = new Map<string, boolean>();
  for (const part of stored.filter(({ id }) => !own.has(id)).flatMap(({ parts = [] }) => parts)) note(part);
  for (const { parts = [] } of asked) {
    for (const part of parts) {
      if (part.type === "tool_result" && !isOpen.get(part.tool_call_id)) {
        throw refusal(part.tool_call_id, isOpen.has(part.tool_call_id));
      }
      note(part);
    }
  }
  return true;

  function note(part: { type: string; tool_call_id?: string }): void {
    if (part.type === "tool_call") isOpen.set(part.tool_call_id ?? "", true);
    if (part.type === "tool_result") isOpen.set(part.tool_call_id ?? "", false);
  }
}

function refusal(id: string, isKnown: boolean): AppError {
  const message = `${JSON.stringify(id)} ${isKnown ? "has a result already" : "is not a tool call of this session"}`;
  return new AppError("validation_failed", `tool_call_id: ${message}`, { fields: [{ path: "tool_call_id", message }] });
}
