import * as z from "zod";
import { invalidInput } from "../errors.ts";
import { checkBody, contentSchema, partSchema, partsSchema, textSchema } from "./parts.ts";

/** Maximum bytes of UTF-8 of `metadata` as JSON. */
const MAX_METADATA_BYTES = 4 * 1024;
/** Maximum number of messages that one request appends. */
export const MAX_BATCH = 100;
/** The longest lifetime of an idle session in seconds: ten years. */
export const MAX_TTL_SECONDS = 3650 * 86_400;

const utf8Bytes = (text: string): number => Buffer.byteLength(text, "utf8");

/** Ids have only characters that need no escaping in URLs, keys and file names. */
export const ID = /^[A-Za-z0-9][A-Za-z0-9._:@=+-]{0,127}$/;

export const idSchema = z.string().regex(ID, "must be 1 to 128 letters, digits or any of . _ : @ = + -").meta({
  description: "Time-ordered (UUIDv7) unless the client chose it.",
  example: "019aa2f4-7a30-7c64-9c6b-0d8f5f1f9a51",
});

/** Any ISO 8601 instant with an offset; normalized to UTC with milliseconds. */
export const instantSchema = z.iso
  .datetime({
    offset: true,
    message: "must be an ISO 8601 time with an offset, like 2026-11-21T09:30:00.000Z",
  })
  .refine((value) => {
    const year = new Date(value).getUTCFullYear();
    // The check above has reported an invalid time already.
    return Number.isNaN(year) || (year >= 1970 && year <= 9999);
  }, "must lie between the years 1970 and 9999")
  .transform((value) => new Date(value).toISOString())
  .meta({ example: "2026-11-21T09:30:00.000Z" });

/** `refuseFuture` checks the upper bound, which needs the time of the request. */
const createdAtSchema = instantSchema.meta({
  description: "At most 24 hours in the future. Default: the time of the request.",
  example: "2026-11-21T09:30:00.000Z",
});

export const metadataSchema = z
  .record(z.string(), z.json())
  .refine(
    (value) => utf8Bytes(JSON.stringify(value)) <= MAX_METADATA_BYTES,
    `must be at most ${MAX_METADATA_BYTES} bytes of JSON`,
  )
  .meta({ description: "Any JSON object of at most 4 KB." });

const titleSchema = textSchema.max(500, "must be at most 500 characters");
const ttlSchema = z.int().min(0).max(MAX_TTL_SECONDS).meta({
  description: "Seconds of idleness after which the session is archived; 0 = never.",
});

export const incognitoSchema = z.boolean().meta({
  description:
    "Whether the session is never remembered, never archived, and deleted when it expires. It cannot be changed later.",
});

export const sessionSchema = z
  .object({
    id: idSchema,
    user_id: z.string(),
    title: z.string().nullable(),
    status: z.enum(["active", "archived"]),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime().meta({
      description: "The last write. `from`, `to` and the order of lists use this time.",
    }),
    expires_at: z.iso.datetime().nullable(),
    ttl_seconds: ttlSchema,
    pinned: z.boolean(),
    incognito: z.literal(true).optional().meta({
      description: "Never remembered, never archived, and deleted when it expires. Absent = it is not incognito.",
    }),
    message_count: z.int().min(0).meta({ description: "Messages on all branches." }),
    head_id: idSchema.nullable().meta({ description: "The last message of the current branch." }),
    metadata: z.record(z.string(), z.json()),
    archived_at: z.iso.datetime().optional(),
  })
  .meta({ id: "Session" });

export const createSessionSchema = z
  .strictObject({
    id: idSchema.optional(),
    title: titleSchema.nullable().optional(),
    metadata: metadataSchema.optional(),
    ttl_seconds: ttlSchema.optional(),
    pinned: z.boolean().optional(),
    incognito: incognitoSchema.optional(),
    created_at: createdAtSchema.optional(),
  })
  .meta({ id: "SessionCreate" });

export const patchSessionSchema = z
  .strictObject({
    title: titleSchema.nullable().optional(),
    metadata: metadataSchema.optional(),
    ttl_seconds: ttlSchema.optional(),
    pinned: z.boolean().optional(),
    head_id: idSchema.optional().meta({ description: "Makes the branch that ends with this message the current one." }),
  })
  .refine((value) => Object.keys(value).length > 0, "must change at least one field")
  .meta({ id: "SessionPatch" });

export const roleSchema = z.enum(["system", "user", "assistant", "tool"]);

const tokensSchema = z.int().min(0);

/** Fields that only messages of the assistant have. */
const answerFields = {
  model: textSchema.max(200, "must be at most 200 characters").optional(),
  usage: z
    .strictObject({
      input_tokens: tokensSchema,
      cached_input_tokens: tokensSchema.optional().meta({
        description: "The input tokens that the provider read from its cache. Absent = none, or not known.",
      }),
      output_tokens: tokensSchema,
      cost_usd: z.number().min(0).optional(),
    })
    .optional(),
  status: z
    .enum(["complete", "incomplete", "stopped"])
    .optional()
    .meta({ description: "`stopped` = a client stopped it." }),
  finish_reason: z.enum(["stop", "length", "content_filter", "tool_calls"]).optional().meta({
    description:
      "`tool_calls` = the model waits for results of tools. `stop` = the model ended it. In an incomplete answer: `length` = it reached its limit, `content_filter` = the provider withheld the rest, `stop` = the model said nothing. Absent when the provider failed or a client stopped the answer before the end.",
  }),
  latency_ms: z.int().min(0).optional().meta({ description: "From the question to the end of the answer." }),
} as const;

export const messageSchema = z
  .object({
    id: idSchema,
    session_id: idSchema,
    parent_id: idSchema.nullable().meta({ description: "The message before it on its branch." }),
    role: roleSchema,
    name: z.string().optional(),
    content: z.string().meta({ description: "The text parts, joined by a blank line." }),
    parts: z.array(partSchema).optional().meta({ description: "Absent when the message is a single text." }),
    created_at: z.iso.datetime(),
    metadata: z.record(z.string(), z.json()).optional(),
    ...answerFields,
    memory_ids: z.array(idSchema).optional().meta({
      description: "The memories that the model got for this answer. Absent = none.",
    }),
  })
  .meta({ id: "Message" });

export const messageInputSchema = z
  .strictObject({
    id: idSchema.optional(),
    role: roleSchema,
    name: textSchema.min(1).max(128).optional().meta({ description: "The speaker." }),
    content: contentSchema.optional(),
    parts: partsSchema.optional(),
    parent_id: idSchema.nullable().optional().meta({
      description:
        "The message that it follows; `null` = none. One that is not the last of the current branch begins a branch. Default: the last one.",
    }),
    created_at: createdAtSchema.optional(),
    metadata: metadataSchema.optional(),
    ...answerFields,
  })
  .check(checkBody)
  .check(checkAnswer)
  .meta({ id: "MessageInput" });

/** Rejects fields of an answer in messages of other roles. */
function checkAnswer({ value, issues }: z.core.ParsePayload<{ role: Role }>): void {
  if (value.role === "assistant") return;
  const field = Object.keys(answerFields).find((name) => name in value);
  if (field) issues.push({ code: "custom", input: value, path: [field], message: "is only for role assistant" });
}

export const appendMessagesSchema = z
  .union([
    messageInputSchema,
    z.strictObject({
      messages: z.array(messageInputSchema).min(1).max(MAX_BATCH),
    }),
  ])
  .meta({ id: "MessageAppend" });

export type Session = z.infer<typeof sessionSchema>;
export type SessionCreate = z.infer<typeof createSessionSchema>;
export type SessionPatch = z.infer<typeof patchSessionSchema>;
export type Message = z.infer<typeof messageSchema>;
export type MessageInput = z.infer<typeof messageInputSchema>;
export type Role = z.infer<typeof roleSchema>;

/**
 * Milliseconds that a `created_at` may lie in the future, because the clocks of clients differ. Athena would not find a later session,
 * because it reads days up to tomorrow (the projection in infra/stacks/catalog.ts).
 */
export const MAX_AHEAD = 86_400_000;

interface Timed {
  created_at?: string | undefined;
}

/** Throws `validation_failed`, naming each `created_at` of a new session or of messages that lies too far in the future. */
export function refuseFuture(body: Timed | { messages: readonly Timed[] }, now: number): void {
  const given = "messages" in body ? body.messages.map((message, n) => ({ ...message, at: `messages.${n}.` })) : [body];
  const fields = given.flatMap(({ created_at, ...rest }) =>
    created_at !== undefined && Date.parse(created_at) - now > MAX_AHEAD
      ? [{ path: `${"at" in rest ? rest.at : ""}created_at`, message: "must be at most 24 hours in the future" }]
      : [],
  );
  if (fields.length > 0) throw invalidInput(...fields);
}
