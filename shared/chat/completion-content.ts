import * as z from "zod";
import { parseDataUrl } from "../files/data-url.ts";
import { isFilename, MEDIA_TYPE } from "../files/file.ts";
import { isImage } from "../files/prompt-files.ts";
import { contentSchema, type InputPart, MAX_DATA_URL_BYTES, partsSchema, textOf } from "../session/parts.ts";
import { inputIn } from "./answer-body.ts";

/** The content of a message in OpenAI's request. It has parts only if it has images or files. */
interface CompletionContent {
  text: string;
  parts?: InputPart[];
}

const UPLOAD = "upload the file with POST /v1/files, and give its id in a part of the type file";

/** A `data:` URL of these types. Other URLs are refused, because a client could make the server read internal addresses. */
const dataUrlOf = (isTaken: (file: { media_type: string }) => boolean, content: string) =>
  z
    .string()
    .startsWith("data:", { error: `must be a data: URL, or ${UPLOAD}`, abort: true })
    .max(MAX_DATA_URL_BYTES, { error: `must be at most ${MAX_DATA_URL_BYTES} bytes, or ${UPLOAD}`, abort: true })
    .refine(
      (url) => {
        const parsed = parseDataUrl(url);
        return parsed !== null && isTaken(parsed);
      },
      { error: `must be a data: URL with ${content}`, abort: true },
    )
    .meta({ description: "A `data:` URL of at most 3 MB." });

const textPart = z.looseObject({
  type: z.enum(["text", "input_text", "output_text", "refusal"]),
  text: z.string().optional(),
  refusal: z.string().optional(),
});

const imagePart = z.looseObject({
  type: z.literal("image_url"),
  image_url: z.looseObject({ url: dataUrlOf(isImage, "a PNG, JPEG, GIF or WebP image") }),
});

const filePart = z.looseObject({
  type: z.literal("file"),
  file: z
    .looseObject({
      file_data: dataUrlOf(({ media_type }) => MEDIA_TYPE.test(media_type), "a media type and content").nullish(),
      file_id: z.string().min(1).max(128).nullish().meta({ description: "A file of `POST /v1/files`." }),
      filename: z
        .string()
        .refine(isFilename, { error: "must have 1 to 255 characters, and no control characters", abort: true })
        .nullish(),
    })
    .check(({ value: { file_data, file_id }, issues }) => {
      if ((file_data == null) !== (file_id == null)) return;
      const message =
        file_id == null ? "is missing: give file_id or file_data" : "cannot be given together with file_data";
      issues.push({ code: "custom", input: file_id, path: ["file_id"], message });
    }),
});

const contentPart = z.discriminatedUnion("type", [textPart, imagePart, filePart], {
  error: ({ input }) => {
    const type = (input as { type?: unknown } | null | undefined)?.type;
    const given = typeof type === "string" ? `${JSON.stringify(type.slice(0, 64))} is not supported: ` : "";
    return `${given}must be text, image_url or file`;
  },
});

/** Text, or OpenAI's content parts. */
export const completionContentSchema = z
  .union([z.string(), z.array(contentPart), z.null()])
  .optional()
  .transform((given, context): CompletionContent => {
    const parts = typeof given === "string" ? [] : (given ?? []).map(toPart);
    const hasFiles = parts.some(({ type }) => type === "file");
    const text = typeof given === "string" ? given : textOf(parts);
    const checked = hasFiles ? partsSchema.safeParse(parts) : contentSchema.safeParse(text);
    for (const { path, message } of checked.error?.issues ?? []) context.addIssue({ code: "custom", path, message });
    return { text, ...(hasFiles ? { parts } : {}) };
  });

/** A content part as a part of a message, at the same place. */
function toPart(part: z.infer<typeof contentPart>): InputPart {
  if (part.type === "image_url") return { type: "file", data: part.image_url.url };
  if (part.type !== "file") return { type: "text", text: part.refusal ?? part.text ?? "" };
  const { file_data, file_id, filename } = part.file;
  if (file_id != null) return { type: "file", file_id };
  return { type: "file", data: file_data ?? "", ...(filename == null ? {} : { filename }) };
}

interface ToolMessage {
  role: string;
  content: CompletionContent;
  tool_calls?: { id: string; function: { name: string; arguments: string } }[] | null | undefined;
  tool_call_id?: string | null | undefined;
}

/** The parts of a message with calls of tools or with a result; `undefined` = it has neither. */
export function toolPartsOf({
  role,
  content: { text },
  tool_calls,
  tool_call_id,
}: ToolMessage): InputPart[] | undefined {
  if (role === "tool" && tool_call_id) return [{ type: "tool_result", tool_call_id, output: text }];
  if (!tool_calls?.length) return undefined;
  const calls = tool_calls.map(({ id, function: { name, arguments: input } }): InputPart => {
    return { type: "tool_call", tool_call_id: id, name, input: inputIn(input) };
  });
  return text ? [{ type: "text", text }, ...calls] : calls;
}
