import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { PromptPart } from "../llm/model.ts";
import type { MessageRecord } from "../session/message.ts";
import type { MessagePart } from "../session/parts.ts";
import type { FileRecord } from "./file.ts";
import type { FileObjects, FileStore } from "./file-store.ts";

export type FilePart = Extract<MessagePart, { type: "file" }>;

/** Maximum bytes of files in a prompt. Providers accept about 50 MB per request, in base64. */
const MAX_PROMPT_BYTES = 20 * 1024 * 1024;

/** Maximum bytes of a text file in a prompt. */
const MAX_TEXT_BYTES = 200 * 1024;

const IMAGE = /^image\/(png|jpeg|gif|webp)$/;
const TEXT = /^(text\/|application\/(json|xml|yaml|x-yaml|javascript|x-ndjson|sql|toml)(;|$))/;

interface Dependencies {
  files: Pick<FileStore, "find">;
  openObjects: () => Promise<Pick<FileObjects, "read">>;
  clock: Clock;
}

/** Maximum tokens of an image in OpenAI's current models (https://platform.openai.com/docs/guides/images-vision). */
const IMAGE_TOKENS = 2500;

/** Approximate bytes of a PDF per token. A page has about 50 KB, and a model reads its text and its image. */
const PDF_BYTES_PER_TOKEN = 25;

/** Maximum estimate for a PDF in tokens, about 100 pages. A larger file usually has scans, with more bytes per page. */
const MAX_PDF_TOKENS = 150_000;

/** The kinds of files that a model accepts. */
interface Accepted {
  images: boolean;
  pdf: boolean;
}

/** Whether models read the file as an image, which not all of them do. */
export function isImage({ media_type }: Pick<FilePart, "media_type">): boolean {
  return IMAGE.test(media_type);
}

/** Whether the content of the file is text. */
export function isText({ media_type }: Pick<FilePart, "media_type">): boolean {
  return TEXT.test(media_type);
}

/** Estimates the tokens of an image or a PDF. */
export function fileTokens(part: Exclude<PromptPart, { type: "text" }>): number {
  if (part.type === "image_url") return IMAGE_TOKENS;
  const bytes = part.file.file_data.length * 0.75;
  return Math.min(MAX_PDF_TOKENS, Math.ceil(bytes / PDF_BYTES_PER_TOKEN));
}

/** Converts a file part of a message to a part of a prompt. */
export type FileView = (part: FilePart, accepted: Accepted) => PromptPart;

export type ReadFiles = (user: string, messages: readonly Pick<MessageRecord, "parts">[]) => Promise<FileView>;

/**
 * Reads the files that messages name, and returns the function that converts their parts for the prompt: images and PDF to `data:` URLs,
 * text files to text. It only names other files, deleted files, and the oldest files of a prompt that would be too large.
 */
export async function readPromptFiles(
  { files, openObjects, clock }: Dependencies,
  user: string,
  messages: readonly Pick<MessageRecord, "parts">[],
): Promise<FileView> {
  const parts = messages.flatMap(({ parts = [] }) => parts.filter((part) => part.type === "file"));
  const ids = [...new Set(parts.map(({ file_id }) => file_id).reverse())];
  const found = new Map((ids.length > 0 ? await files.find(user, ids, clock()) : []).map((file) => [file.id, file]));
  let room = MAX_PROMPT_BYTES;
  const wanted = ids.flatMap((id) => {
    const file = found.get(id);
    if (!file || !isReadable(file) || file.bytes > room) return [];
    room -= file.bytes;
    return [file];
  });
  const contents = new Map<string, { file: FileRecord; content: Buffer }>();
  await Promise.all(
    wanted.map(async (file) => {
      try {
        contents.set(file.id, { file, content: Buffer.from(await (await openObjects()).read(file)) });
      } catch (error) {
        // The file was deleted meanwhile: the prompt only names it.
        if (!(error instanceof AppError) || error.code !== "not_found") throw error;
      }
    }),
  );

  return (part, accepted) => {
    const known = contents.get(part.file_id);
    return (known && contentOf(known.file, known.content, accepted)) ?? nameOf(part, found.get(part.file_id));
  };
}

const isPdf = ({ media_type }: Pick<FilePart, "media_type">): boolean => media_type === "application/pdf";

const isReadable = (file: FileRecord): boolean =>
  isImage(file) || isPdf(file) || (isText(file) && file.bytes <= MAX_TEXT_BYTES);

function contentOf(file: FileRecord, content: Buffer, { images, pdf }: Accepted): PromptPart | undefined {
  const { filename, media_type } = file;
  const url = () => `data:${media_type};base64,${content.toString("base64")}`;
  if (isImage(file)) return images ? { type: "image_url", image_url: { url: url() } } : undefined;
  if (isPdf(file)) return pdf ? { type: "file", file: { filename, file_data: url() } } : undefined;
  return { type: "text", text: `File ${JSON.stringify(filename)}:\n${content.toString("utf8").toWellFormed()}` };
}

function nameOf({ filename = "", media_type }: FilePart, file: FileRecord | undefined): PromptPart {
  const name = JSON.stringify(file?.filename ?? filename);
  const size = file ? `, ${file.bytes} bytes` : "";
  return { type: "text", text: `[File ${name} (${file?.media_type ?? media_type}${size}), which you cannot read]` };
}
