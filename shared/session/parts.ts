import * as z from "zod";

/** Maximum bytes of UTF-8 of a message's content, or of its parts as JSON. */
export const MAX_CONTENT_BYTES = 300 * 1024;

const MAX_PARTS = 1000;

/** Text that UTF-8 can encode, because a lone surrogate would come back from the store as another character. */
export const textSchema = z
  .string()
  .refine((value) => value.isWellFormed(), "contains a lone surrogate, which is not valid Unicode");

const isShort = (value: string): boolean => Buffer.byteLength(value) <= MAX_CONTENT_BYTES;

export const contentSchema = textSchema
  .refine(isShort, `must be at most ${MAX_CONTENT_BYTES} bytes of UTF-8`)
  .meta({ description: "Text of at most 300 KB." });

const nameSchema = textSchema.min(1).max(128);
const callIdSchema = textSchema.min(1).max(256);

const PART_TYPES = "must be text, reasoning, file, tool_call, tool_result, source or data";

const textPart = z.strictObject({ type: z.literal("text"), text: textSchema });
const reasoningPart = z.strictObject({ type: z.literal("reasoning"), text: textSchema });
const filePart = z.strictObject({
  type: z.literal("file"),
  file_id: textSchema.min(1).max(128),
  media_type: textSchema.min(1).max(255),
  filename: textSchema.min(1).max(255).optional(),
});
export const toolCallPart = z.strictObject({
  type: z.literal("tool_call"),
  tool_call_id: callIdSchema,
  name: nameSchema,
  input: z.json(),
});
const toolResultPart = z.strictObject({
  type: z.literal("tool_result"),
  tool_call_id: callIdSchema,
  name: nameSchema.optional(),
  output: z.json(),
  is_error: z.boolean().optional(),
});
const sourcePart = z.strictObject({
  type: z.literal("source"),
  url: textSchema.min(1).max(8192),
  title: textSchema.max(1000).optional(),
});
const dataPart = z.strictObject({ type: z.literal("data"), name: nameSchema, data: z.json() });

/** One part of a message. */
export const partSchema = z
  .discriminatedUnion("type", [textPart, reasoningPart, filePart, toolCallPart, toolResultPart, sourcePart, dataPart], {
    error: PART_TYPES,
  })
  .meta({ id: "Part" });

/** Maximum bytes of a `data:` URL in a request. */
export const MAX_DATA_URL_BYTES = 3 * 1024 * 1024;

/** Maximum files of one message, because the writes of a message and of its files are one transaction. */
export const MAX_MESSAGE_FILES = 20;

const fileInputSchema = z
  .strictObject({
    type: z.literal("file"),
    file_id: textSchema.min(1).max(128).optional(),
    data: z
      .string()
      .startsWith("data:", "must be a data: URL")
      .max(MAX_DATA_URL_BYTES, `must be at most ${MAX_DATA_URL_BYTES} bytes: upload larger files with POST /v1/files`)
      .optional()
      .meta({ description: "A `data:` URL of at most 3 MB in place of `file_id`: it becomes a file." }),
    media_type: textSchema
      .min(1)
      .max(255)
      .optional()
      .meta({ description: "Ignored: the stored file has its own type." }),
    filename: textSchema.min(1).max(255).optional().meta({ description: "With `data`: the name of the file." }),
  })
  .check(({ value: { file_id, data }, issues }) => {
    if ((file_id === undefined) !== (data === undefined)) return;
    const message = file_id === undefined ? "is missing: give file_id or data" : "cannot be given together with data";
    issues.push({ code: "custom", input: file_id, path: ["file_id"], message });
  });

/** One part of a message in a request. */
const inputPartSchema = z
  .discriminatedUnion(
    "type",
    [textPart, reasoningPart, fileInputSchema, toolCallPart, toolResultPart, sourcePart, dataPart],
    { error: PART_TYPES },
  )
  .meta({ id: "PartInput" });

export const partsSchema = z
  .array(inputPartSchema)
  .min(1, "must hold at least one part")
  .max(MAX_PARTS, `must hold at most ${MAX_PARTS} parts`)
  .refine(
    (parts) => isShort(JSON.stringify(parts.map(withoutData))),
    `must be at most ${MAX_CONTENT_BYTES} bytes of JSON`,
  )
  .refine(
    (parts) => parts.filter(({ type }) => type === "file").length <= MAX_MESSAGE_FILES,
    `must hold at most ${MAX_MESSAGE_FILES} files`,
  )
  .meta({ description: "At most 300 KB of JSON, files not counted. A single text is the same as `content`." });

export type InputPart = z.infer<typeof inputPartSchema>;

const withoutData = (part: InputPart): InputPart => (part.type === "file" ? { ...part, data: undefined } : part);

export type MessagePart = z.infer<typeof partSchema>;

/** The body of a message: `content` alone, or parts whose texts are also in `content`. */
export interface MessageBody {
  content: string;
  parts?: MessagePart[];
}

/** Joins the text parts by a blank line. */
export function textOf(parts: readonly InputPart[]): string {
  return parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n\n");
}

/** Returns the body as it is stored. A single text is stored without parts. */
export function bodyOf<P extends InputPart>({
  content,
  parts,
}: {
  content?: string | undefined;
  parts?: P[] | undefined;
}): { content: string; parts?: P[] } {
  if (!parts) return { content: content ?? "" };
  const [first, second] = parts;
  return { content: textOf(parts), ...(first?.type === "text" && !second ? {} : { parts }) };
}

/** Checks that a value has exactly one of `content` and `parts`. */
export function checkBody({ value, issues }: z.core.ParsePayload<{ content?: unknown; parts?: unknown }>): void {
  const both = value.content !== undefined && value.parts !== undefined;
  if (!both && (value.content !== undefined || value.parts !== undefined)) return;
  issues.push({
    code: "custom",
    input: value,
    path: [both ? "parts" : "content"],
    message: both ? "cannot be given together with content" : "is missing: give content or parts",
  });
}
