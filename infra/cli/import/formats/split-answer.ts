import type { SourceMessage, SourcePart } from "../conversation.ts";
import { toBody } from "./content-parts.ts";
import type { Source } from "./format.ts";

/**
 * Splits an answer at its tool results, because the API has them as messages of the role `tool` between those of the assistant. The last
 * message keeps the id, so that the children of the answer follow it. A message without parts is left out.
 */
export function splitAnswer(message: SourceMessage, parts: readonly SourcePart[], source: Source): SourceMessage[] {
  if (parts.length === 0) source.leaveOut("messages without content");
  const groups: SourcePart[][] = [];
  for (const part of parts) {
    const group = groups.at(-1);
    if (group && isResult(group[0]) === isResult(part)) group.push(part);
    else groups.push([part]);
  }
  const { id, parent, role, name, at, model, usage, status, finish_reason, ...rest } = message;
  const ids = groups.map((_, n) => (id === undefined || n === groups.length - 1 ? id : `${id}-${n + 1}`));
  return groups.map((group, n): SourceMessage => {
    const isLast = n === groups.length - 1;
    const isTool = isResult(group[0]) && role === "assistant";
    const own = ids[n];
    const above = n === 0 ? parent : ids[n - 1];
    return {
      role: isTool ? "tool" : role,
      ...(own !== undefined && { id: own }),
      ...(above !== undefined && { parent: above }),
      ...(at !== undefined && { at }),
      ...toBody(group),
      ...(!isTool && { ...(name !== undefined && { name }), ...(model !== undefined && { model }) }),
      ...(isLast && rest),
      ...(isLast &&
        !isTool && { ...(usage && { usage }), ...(status && { status }), ...(finish_reason && { finish_reason }) }),
    };
  });
}

const isResult = (part: SourcePart | undefined): boolean => part?.type === "tool_result";
