import type { AnswerPiece } from "../../llm/model.ts";
import type { MessageRecord } from "../../session/message.ts";
import type { Turn } from "../turn.ts";
import { END_OF_STREAM, EVENT_STREAM_HEADERS, errorText, toEvent } from "./event-stream.ts";
import { answerMetadata, type UiMessage, type UiPart } from "./ui-message.ts";

/** Headers of the AI SDK's UI message stream (https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol). */
export const UI_MESSAGE_STREAM_HEADERS = {
  ...EVENT_STREAM_HEADERS,
  "x-vercel-ai-ui-message-stream": "v1",
} as const;

type Chunk = { type: string } & Record<string, unknown>;

/** The message that an answer continues, after results of tools. `isKnown`: the client has its parts already. */
interface Continued {
  message: Pick<UiMessage, "id" | "parts">;
  isKnown: boolean;
}

/** A turn in the AI SDK's UI message stream protocol, version 1. The answer is stored before `finish` is sent. */
export async function* uiMessageStream(turn: Turn, continued?: Continued): AsyncGenerator<string> {
  for await (const chunk of chunksOf(turn, continued)) yield toEvent(chunk);
  yield END_OF_STREAM;
}

async function* chunksOf(turn: Turn, continued: Continued | undefined): AsyncGenerator<Chunk> {
  const { session, model, memories } = turn;
  const messageMetadata = { session_id: session.id, ...(model ? { model } : {}) };
  yield { type: "start", messageId: continued?.message.id ?? turn.id, messageMetadata };
  if (continued && !continued.isKnown) yield* replayed(continued.message.parts);
  yield { type: "start-step" };
  if (memories.length > 0) yield { type: "data-memories", data: memories };
  const blocks = createBlocks(turn.id);
  try {
    for await (const next of turn.events()) {
      if (next.kind !== "end") {
        yield* blocks.next(next);
        continue;
      }
      yield* blocks.close();
      yield* toolInputs(next.message);
      yield { type: "finish-step" };
      yield* ending(next.message, session.id);
    }
  } catch (error) {
    yield* blocks.close();
    yield { type: "error", errorText: errorText(error) };
  }
}

/** Turns pieces of an answer into chunks. Text and reasoning come in blocks that are opened and closed. */
function createBlocks(answer: string) {
  let open: "text" | "reasoning" | undefined;
  let blocks = 0;
  let sources = 0;
  const id = () => `${answer}:${blocks}`;

  function* close(): Generator<Chunk> {
    if (open) yield { type: `${open}-end`, id: id() };
    open = undefined;
  }

  function* next(piece: AnswerPiece): Generator<Chunk> {
    switch (piece.kind) {
      case "tool_input":
        yield { type: "tool-input-delta", toolCallId: piece.id, inputTextDelta: piece.text };
        return;
      case "tool_call":
        yield* close();
        yield { type: "tool-input-start", toolCallId: piece.id, toolName: piece.name };
        return;
      case "source": {
        const { url, title } = piece;
        yield { type: "source-url", sourceId: `${answer}:source-${++sources}`, url, ...(title ? { title } : {}) };
        return;
      }
      default: {
        // The protocol has no refusals, so they are sent as text.
        const kind = piece.kind === "reasoning" ? "reasoning" : "text";
        if (open !== kind) {
          yield* close();
          open = kind;
          blocks++;
          yield { type: `${kind}-start`, id: id() };
        }
        yield { type: `${kind}-delta`, id: id(), delta: piece.text };
      }
    }
  }

  return { next, close };
}

/** The inputs of an answer's tool calls are complete only when the answer has ended. */
function* toolInputs({ parts = [] }: MessageRecord): Generator<Chunk> {
  for (const part of parts) {
    if (part.type !== "tool_call") continue;
    const { tool_call_id: toolCallId, name: toolName, input } = part;
    yield { type: "tool-input-available", toolCallId, toolName, input };
  }
}

function* ending(message: MessageRecord, session: string): Generator<Chunk> {
  const messageMetadata = answerMetadata(session, message);
  if (message.status === "stopped") {
    yield { type: "message-metadata", messageMetadata };
    yield { type: "abort", reason: "stopped" };
    return;
  }
  yield { type: "finish", finishReason: message.finish_reason?.replace("_", "-") ?? "stop", messageMetadata };
}

/** Chunks from which a client builds the parts again. */
function* replayed(parts: readonly UiPart[]): Generator<Chunk> {
  let isInStep = false;
  for (const [n, part] of parts.entries()) {
    const { type, text, state, toolCallId, ...rest } = part;
    const id = `replayed:${n}`;
    if (type === "step-start") {
      if (isInStep) yield { type: "finish-step" };
      isInStep = true;
      yield { type: "start-step" };
    } else if (type === "text" || type === "reasoning") {
      yield { type: `${type}-start`, id };
      yield { type: `${type}-delta`, id, delta: text };
      yield { type: `${type}-end`, id };
    } else if (toolCallId === undefined) {
      yield { type, ...rest };
    } else {
      const { input, output, errorText: error } = rest;
      yield { type: "tool-input-available", toolCallId, toolName: type.slice("tool-".length), input };
      if (state === "output-available") yield { type: "tool-output-available", toolCallId, output };
      if (state === "output-error") yield { type: "tool-output-error", toolCallId, errorText: error };
    }
  }
  if (isInStep) yield { type: "finish-step" };
}
