import type { LiveAnswer, Part } from "../types.ts";

type Json = Extract<Part, { type: "tool_call" }>["input"];

/** The parts of the AI SDK's UI message stream that the page uses. */
type StreamPart =
  | { type: "start"; messageId: string }
  | { type: "text-delta" | "reasoning-delta"; id: string; delta: string }
  | { type: "tool-input-available"; toolCallId: string; toolName: string; input: Json }
  | { type: "tool-output-available"; toolCallId: string; output: Json }
  | { type: "finish" }
  | { type: "abort" }
  | { type: "error"; errorText: string };

const DATA = /^data: ?(.*)$/;

/** Reads the parts of a stream of server-sent events. Ends at `[DONE]` or when the connection breaks. */
export async function* readParts(response: Response): AsyncGenerator<StreamPart> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const [, data] = DATA.exec(line) ?? [];
        if (data === "[DONE]") return;
        if (data) yield JSON.parse(data) as StreamPart;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Adds a part to the answer. */
export function addPart(answer: LiveAnswer, part: StreamPart): LiveAnswer {
  switch (part.type) {
    case "start":
      return { ...answer, id: part.messageId };
    case "text-delta":
      return { ...answer, text: answer.text + part.delta };
    case "reasoning-delta":
      return { ...answer, reasoning: answer.reasoning + part.delta };
    case "tool-input-available": {
      const { toolCallId: tool_call_id, toolName: name, input } = part;
      return { ...answer, parts: [...answer.parts, { type: "tool_call", tool_call_id, name, input }] };
    }
    case "tool-output-available": {
      const { toolCallId: tool_call_id, output } = part;
      return { ...answer, parts: [...answer.parts, { type: "tool_result", tool_call_id, output }] };
    }
    default:
      return answer;
  }
}
