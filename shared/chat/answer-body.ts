import type { AnswerPiece } from "../llm/model.ts";
import type { MessageRecord } from "../session/message.ts";
import { bodyOf, MAX_CONTENT_BYTES, type MessageBody, type MessagePart, textOf } from "../session/parts.ts";

/** Name of the `data` part that says that the text part before it is a refusal. */
const REFUSAL = "refusal";

/** Joins the pieces of an answer into the message that is stored. Sources come last, each page once. */
export function bodyOfPieces(pieces: readonly AnswerPiece[]): MessageBody {
  const parts: MessagePart[] = [];
  const sources = new Map<string, MessagePart>();
  const inputs = new Map<string, string>();
  let open: Extract<MessagePart, { type: "text" | "reasoning" }> | undefined;
  let kind: AnswerPiece["kind"] | undefined;
  for (const piece of pieces) {
    if (piece.kind === "source") {
      const { kind: _kind, ...source } = piece;
      sources.set(piece.url, { type: "source", ...source });
    } else if (piece.kind === "tool_call") {
      parts.push({ type: "tool_call", tool_call_id: piece.id, name: piece.name, input: {} });
      kind = piece.kind;
    } else if (piece.kind === "tool_input") {
      inputs.set(piece.id, (inputs.get(piece.id) ?? "") + piece.text);
    } else if (open && kind === piece.kind) {
      open.text += piece.text;
    } else {
      kind = piece.kind;
      const part = { type: kind === "reasoning" ? ("reasoning" as const) : ("text" as const), text: piece.text };
      parts.push(part);
      open = part;
      if (kind === "refusal") parts.push({ type: "data", name: REFUSAL, data: true });
    }
  }
  for (const part of parts) if (part.type === "tool_call") part.input = inputIn(inputs.get(part.tool_call_id) ?? "");
  parts.push(...sources.values());
  const body = bodyOf({ parts: parts.length > 0 ? parts : undefined });
  // Check the size again, because the text of an answer is longer as JSON.
  return Buffer.byteLength(JSON.stringify(parts)) > MAX_CONTENT_BYTES ? { content: textOf(parts) } : body;
}

/** The pieces of a stored answer, so that it can be streamed again. */
export function piecesOf({ content, parts = [{ type: "text", text: content }] }: MessageRecord): AnswerPiece[] {
  return parts.flatMap((part, n): AnswerPiece[] => {
    switch (part.type) {
      case "text":
        return part.text === "" ? [] : [{ kind: isRefusal(parts[n + 1]) ? "refusal" : "text", text: part.text }];
      case "reasoning":
        return [{ kind: "reasoning", text: part.text }];
      case "tool_call": {
        const { tool_call_id: id, name } = part;
        return [
          { kind: "tool_call", id, name },
          { kind: "tool_input", id, text: inputText(part.input) },
        ];
      }
      case "source":
        return [{ kind: "source", url: part.url, ...(part.title === undefined ? {} : { title: part.title }) }];
      default:
        return [];
    }
  });
}

/** The input of a tool call as JSON text. Invalid JSON stays as the model wrote it. */
export function inputText(input: unknown): string {
  return typeof input === "string" ? input : JSON.stringify(input);
}

const isRefusal = (part: MessagePart | undefined): boolean => part?.type === "data" && part.name === REFUSAL;

/** Parses the input that a model wrote. If the text is not a JSON object, returns the text. */
export function inputIn(text: string): Extract<MessagePart, { type: "tool_call" }>["input"] {
  if (text.trim() === "") return {};
  try {
    const input = JSON.parse(text);
    // `stringify` throws for input that is nested too deeply to be stored as JSON.
    JSON.stringify(input);
    return typeof input === "object" && input !== null ? input : text;
  } catch {
    return text;
  }
}
