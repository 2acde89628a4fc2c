import type { SourceFile, SourcePart } from "../conversation.ts";
import { type Entry, readEntry } from "../read/entry.ts";
import { filePlaceholder } from "../take-file.ts";
import { isObject, type JsonObject, type Source } from "./format.ts";

type TextPart = { type: "text"; text: string };

export const textPart = (text: string): TextPart => ({ type: "text", text });

/** The text of a message whose parts are all text; `undefined` when it has others. */
export function plainText(parts: readonly SourcePart[]): string | undefined {
  const texts = parts.filter((part): part is TextPart => part.type === "text");
  return texts.length === parts.length ? texts.map(({ text }) => text).join("\n\n") : undefined;
}

/** Returns the parts as a message's body: as `content` when all of them are text. */
export function toBody(parts: SourcePart[]): { content: string } | { parts: SourcePart[] } {
  const content = plainText(parts);
  return content === undefined ? { parts } : { content };
}

/** Makes a part of a file of the export, or a placeholder when the export does not have the file. */
export function filePart(entry: Entry | undefined, name: string, mediaType: unknown, source: Source): SourcePart {
  if (!entry) return missingFile(name, source);
  return {
    type: "file",
    file: {
      filename: name,
      mediaType: typeof mediaType === "string" && mediaType !== "" ? mediaType : typeOf(name),
      bytes: entry.bytes,
      read: () => readEntry(entry),
    },
  };
}

/** Counts a file that the export does not have, and returns its placeholder. */
export function missingFile(name: string, source: Source): SourcePart {
  source.leaveOut("files that are not in the export");
  return filePlaceholder(name);
}

/** Makes a file of the text that the export has in place of the file. */
export function textFile(name: string, text: string, mediaType = "text/plain"): SourcePart {
  return { type: "file", file: fileOf(name, mediaType, Buffer.from(text.toWellFormed())) };
}

function fileOf(filename: string, mediaType: string, content: Buffer): SourceFile {
  return { filename, mediaType, bytes: content.length, read: async () => content };
}

/** Makes a file of a `data:` URL and a source of an http URL. Any other value is counted as a missing file and becomes a placeholder. */
export function urlPart(url: unknown, kind: string, source: Source): SourcePart {
  const match = typeof url === "string" ? /^data:([^;,]*)((?:;[^;,]*)*?)(;base64)?,/.exec(url) : null;
  if (!match || typeof url !== "string") {
    if (typeof url === "string" && /^https?:\/\//.test(url) && url.length <= 8192) return { type: "source", url };
    source.leaveOut("files that are not in the export");
    return textPart(`[${kind}]`);
  }
  const [head, mediaType = "", , base64] = match;
  const data = url.slice(head.length);
  const content = Buffer.from(base64 ? data : decode(data), base64 ? "base64" : "utf8");
  return { type: "file", file: fileOf(`${kind}${endingOf(mediaType)}`, mediaType, content) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const TYPES: Record<string, string> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  pdf: "application/pdf",
  txt: "text/plain",
  md: "text/markdown",
  csv: "text/csv",
  html: "text/html",
  json: "application/json",
  wav: "audio/wav",
  mp3: "audio/mpeg",
  mp4: "video/mp4",
};

function typeOf(name: string): string {
  return TYPES[name.slice(name.lastIndexOf(".") + 1).toLowerCase()] ?? "application/octet-stream";
}

function endingOf(mediaType: string): string {
  const [ending] = Object.entries(TYPES).find(([, type]) => type === mediaType.toLowerCase()) ?? [];
  return ending === undefined ? "" : `.${ending}`;
}

/** Parses JSON in a text. Returns the text itself when it is not JSON. */
export function parseInput(value: unknown): JsonValue {
  if (typeof value !== "string") return (value ?? null) as JsonValue;
  try {
    return JSON.parse(value) as JsonValue;
  } catch {
    return value;
  }
}

type JsonValue = Extract<SourcePart, { type: "data" }>["data"];

/** Makes a part of a tool call. Cuts the name and the id to the API's limits: 128 and 256 characters. */
export function toolCall(id: unknown, name: unknown, input: unknown, fallbackId: string): SourcePart {
  return {
    type: "tool_call",
    tool_call_id: idOf(id, fallbackId),
    name: toolName(name) ?? "tool",
    input: parseInput(input),
  };
}

export function toolResult(
  id: unknown,
  name: unknown,
  output: unknown,
  fallbackId: string,
  isError = false,
): SourcePart {
  const known = toolName(name);
  return {
    type: "tool_result",
    tool_call_id: idOf(id, fallbackId),
    ...(known !== undefined && { name: known }),
    output: (output ?? null) as JsonValue,
    ...(isError && { is_error: true }),
  };
}

const idOf = (id: unknown, fallback: string): string =>
  (typeof id === "string" && id !== "" ? id : fallback).slice(0, 256);

const toolName = (name: unknown): string | undefined =>
  typeof name === "string" && name !== "" ? name.slice(0, 128) : undefined;

/**
 * Reads content blocks of OpenAI, Anthropic and LangChain: texts, images and files as `data:` URLs, reasoning, tool calls and their
 * results. A block of another type becomes a data part.
 */
export function readBlocks(content: unknown, place: string, source: Source): SourcePart[] {
  if (typeof content === "string") return content === "" ? [] : [textPart(content)];
  if (!Array.isArray(content)) return [];
  return content.flatMap((block, n): SourcePart[] => {
    if (typeof block === "string") return [textPart(block)];
    return isObject(block) ? readBlock(block, `${place}-${n}`, source) : [];
  });
}

function readBlock(block: JsonObject, fallbackId: string, source: Source): SourcePart[] {
  const { type, text } = block;
  switch (type) {
    case "thinking":
    case "think":
    case "reasoning":
      return reasoning(block.thinking ?? block.think ?? block.reasoning ?? text);
    case "refusal":
      return typeof block.refusal === "string" ? [textPart(block.refusal)] : [];
    case "image_url":
    case "input_image":
      return [urlPart(isObject(block.image_url) ? block.image_url.url : block.image_url, "image", source)];
    case "image":
    case "document":
      return [readBase64(block.source ?? block, type === "image" ? "image" : "file", source)];
    case "input_audio": {
      const { data, format } = isObject(block.input_audio) ? block.input_audio : {};
      return [urlPart(`data:audio/${String(format)};base64,${String(data)}`, "audio", source)];
    }
    case "file":
    case "input_file": {
      const file = isObject(block.file) ? block.file : block;
      const name = typeof file.filename === "string" ? file.filename : "file";
      const part = typeof file.file_data === "string" ? urlPart(file.file_data, "file", source) : undefined;
      if (part?.type === "file") return [{ type: "file", file: { ...part.file, filename: name } }];
      return [part ?? missingFile(name, source)];
    }
    case "tool_use":
      return [toolCall(block.id, block.name, block.input, fallbackId)];
    case "tool_result":
      return [
        toolResult(block.tool_use_id, block.name, resultText(block.content), fallbackId, block.is_error === true),
      ];
  }
  if (typeof text === "string") return text === "" ? [] : [textPart(text)];
  return typeof type === "string" && type !== ""
    ? [{ type: "data", name: type.slice(0, 128), data: block as JsonValue }]
    : [];
}

export const reasoning = (text: unknown): SourcePart[] =>
  typeof text === "string" && text.trim() !== "" ? [{ type: "reasoning", text }] : [];

function readBase64(value: unknown, kind: string, source: Source): SourcePart {
  const { media_type, mime_type, data, url } = isObject(value) ? value : {};
  if (typeof data !== "string") return urlPart(url, kind, source);
  return urlPart(`data:${String(media_type ?? mime_type ?? "")};base64,${data}`, kind, source);
}

/** Returns the output of a tool as a text when all of its blocks are text, and unchanged otherwise. */
export function resultText(content: unknown): unknown {
  if (!Array.isArray(content)) return content;
  const texts = content.map((block) => (isObject(block) && block.type === "text" ? block.text : block));
  return texts.every((text) => typeof text === "string") ? texts.join("\n") : content;
}
