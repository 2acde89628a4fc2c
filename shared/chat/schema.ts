import * as z from "zod";
import { contentSchema, type InputPart, partsSchema, textSchema, toolCallPart } from "../session/parts.ts";
import { idSchema, incognitoSchema, messageInputSchema, messageSchema } from "../session/schema.ts";
import { completionContentSchema, toolPartsOf } from "./completion-content.ts";

/** Options of a turn, of Memocha's own route and of the AI SDK's. */
export const turnOptions = {
  model: z.string().min(1).max(200).optional().meta({ description: "Replaces the model of the deployment." }),
  temperature: z.number().min(0).max(2).optional(),
  max_output_tokens: z.int().min(1).max(1_000_000).optional(),
  incognito: incognitoSchema.optional().meta({
    description:
      "Makes a session that the turn creates incognito. An existing session must be as it says, otherwise 409.",
  }),
  memory: z.boolean().default(true).meta({ description: "Whether the model sees memories of other sessions." }),
  tools: z
    .array(z.looseObject({ type: z.literal("function"), function: z.looseObject({ name: z.string().min(1).max(64) }) }))
    .min(1)
    .max(128)
    .optional()
    .meta({ description: "Tools that the client runs, as OpenAI's API defines them." }),
  tool_choice: z
    .union([
      z.enum(["none", "auto", "required"]),
      z.looseObject({ type: z.literal("function"), function: z.looseObject({ name: z.string() }) }),
    ])
    .optional(),
};

export type TurnOptions = { [K in keyof typeof turnOptions]?: z.infer<(typeof turnOptions)[K]> } & { memory: boolean };

/** The parts of a question: what a user says, or results of tools. */
export const questionPartsSchema = partsSchema.check(({ value, issues }) => {
  const isResult = ({ type }: InputPart) => type === "tool_result";
  const areResults = value.some(isResult);
  for (const [n, part] of value.entries()) {
    if (areResults ? isResult(part) : ["text", "file", "data"].includes(part.type)) continue;
    const message = areResults
      ? "cannot be in a question with a tool_result"
      : "is not allowed in a question: must be text, file or data";
    issues.push({ code: "custom", input: part, path: [n, "type"], message });
  }
  if (value.every((part) => part.type === "text" && part.text.trim() === "")) {
    issues.push({ code: "custom", input: value, path: [], message: "must not be empty" });
  }
});

export const chatSchema = z
  .strictObject({
    content: contentSchema.refine((value) => value.trim() !== "", "must not be empty").optional(),
    parts: questionPartsSchema.optional().meta({
      description: "Text, files and data of a user, or `tool_result`s of the tools that the last answer calls.",
    }),
    parent_id: idSchema.nullable().optional().meta({
      description:
        "The message that the question follows; an earlier one, or `null`, begins a branch. Default: the head.",
    }),
    regenerate: idSchema
      .optional()
      .meta({ description: "An answer, whose question is answered again on a new branch." }),
    name: messageInputSchema.shape.name,
    metadata: messageInputSchema.shape.metadata,
    stream: z.boolean().optional().meta({ description: "Answer in the AI SDK UI message stream protocol." }),
    ...turnOptions,
  })
  .check(({ value, issues }) => {
    const given = (["content", "parts", "regenerate"] as const).filter((name) => value[name] !== undefined);
    if (given.length === 0) {
      const message = "is missing: give content, parts or regenerate";
      issues.push({ code: "custom", input: value, path: ["content"], message });
    }
    const apart = [...given, ...(value.regenerate && value.parent_id !== undefined ? ["parent_id"] : [])];
    for (const name of apart.slice(1)) {
      const message = `cannot be given together with ${given[0]}`;
      issues.push({ code: "custom", input: value, path: [name], message });
    }
  })
  .meta({ id: "Chat" });

const chatMemorySchema = z
  .object({
    id: z.string(),
    session_id: idSchema,
    message_id: idSchema,
    role: z.string(),
    name: z.string().optional(),
    content: z.string(),
    created_at: z.iso.datetime(),
    score: z.number().optional(),
  })
  .meta({ id: "RecalledMemory" });

export const chatAnswerSchema = z
  .object({ message: messageSchema, memories: z.array(chatMemorySchema) })
  .meta({ id: "ChatAnswer" });

export const stopAnswerSchema = z
  .object({
    stopped: z.boolean().meta({ description: "False when no answer was being given, or it ended by itself first." }),
    message_id: idSchema.optional().meta({ description: "The answer that was stopped." }),
  })
  .meta({ id: "Stop" });

export const uiMessagesSchema = z.object({
  messages: z.array(
    z
      .object({
        id: z.string(),
        role: z.enum(["system", "user", "assistant"]),
        metadata: z.unknown().optional(),
        parts: z.array(z.looseObject({ type: z.string() })),
      })
      .meta({ id: "UiMessage", description: "A `UIMessage` of the AI SDK." }),
  ),
});

const completionMessageSchema = z
  .looseObject({
    role: z.enum(["system", "developer", "user", "assistant", "tool"]),
    content: completionContentSchema,
    name: messageInputSchema.shape.name.nullable(),
    tool_calls: z
      .array(
        z.looseObject({
          id: toolCallPart.shape.tool_call_id,
          function: z.looseObject({ name: toolCallPart.shape.name, arguments: textSchema }),
        }),
      )
      .nullish(),
    tool_call_id: toolCallPart.shape.tool_call_id.nullish(),
  })
  .check(({ value, issues }) => {
    const { role, content, tool_calls, tool_call_id } = value;
    const { error } = partsSchema.optional().safeParse(toolPartsOf(value));
    for (const { message } of error?.issues ?? []) {
      issues.push({ code: "custom", input: value, path: [tool_calls?.length ? "tool_calls" : "content"], message });
    }
    if (role === "tool" && !tool_call_id) {
      const message = "is missing: a message of a tool names the call that it answers";
      issues.push({ code: "custom", input: tool_call_id, path: ["tool_call_id"], message });
    }
    if (role === "user" || !content.parts) return;
    const at = content.parts.findIndex(({ type }) => type === "file");
    const message = `must be text in a message of the role ${role}: only the user's messages have images and files`;
    issues.push({ code: "custom", input: content, path: ["content", at, "type"], message });
  });

/** Rejects a parameter that would change the answer in a way that is not supported. */
const unsupported = (why: string) => z.undefined(`is not supported: ${why}`).or(z.null());

/** The fields of OpenAI's request that Memocha reads. All others reach the provider as they are. */
export const completionRequestSchema = z
  .looseObject({
    model: z.string().min(1).max(200).optional(),
    messages: z.array(completionMessageSchema).min(1).max(2000),
    temperature: z.number().min(0).max(2).nullish(),
    max_tokens: z.int().min(1).nullish(),
    max_completion_tokens: z.int().min(1).nullish(),
    stream: z.boolean().nullish(),
    stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
    n: z.literal(1, "must be 1: a turn has one answer").nullish(),
    modalities: z
      .array(z.string())
      .refine((given) => given.every((kind) => kind === "text"), 'must be ["text"]: audio output is not supported')
      .nullish(),
    audio: unsupported("answers are text").optional(),
    functions: unsupported("use tools").optional(),
    // The client's own tools. The provider's tools, like a web search, are its own to check.
    tools: z
      .array(
        z.looseObject({
          type: z.string().refine((type) => type !== "custom", 'is not supported: must be "function"'),
        }),
      )
      .nullish(),
    function_call: unsupported("use tool_choice").optional(),
    // OpenAI's SDKs send texts only.
    metadata: z
      .looseObject({
        session_id: idSchema.optional(),
        incognito: z
          .union([incognitoSchema, z.enum(["true", "false"]).transform((text) => text === "true")])
          .optional(),
      })
      .nullish(),
  })
  .refine(({ messages }) => ["user", "tool"].includes(messages.at(-1)?.role ?? ""), {
    path: ["messages"],
    message: "must end with a message of the user",
  })
  .refine(
    ({ messages }) => {
      const { role, content } = messages.at(-1) ?? {};
      return role === "tool" || content?.parts !== undefined || content?.text.trim() !== "";
    },
    { path: ["messages"], message: "must end with a message that is not empty" },
  )
  .meta({ id: "ChatCompletionRequest" });

export const completionAnswerSchema = z
  .looseObject({
    id: z.string(),
    object: z.literal("chat.completion"),
    created: z.int(),
    model: z.string(),
    choices: z.array(
      z.looseObject({
        index: z.int(),
        message: z.looseObject({ role: z.literal("assistant"), content: z.string().nullable() }),
        finish_reason: z.string(),
      }),
    ),
    usage: z.looseObject({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() }),
    session_id: idSchema,
  })
  .meta({ id: "ChatCompletion" });

export const modelListSchema = z
  .object({
    object: z.literal("list"),
    data: z.array(
      z.object({
        id: z.string(),
        object: z.literal("model"),
        created: z.int().meta({ description: "Seconds since 1970; 0 = not known." }),
        owned_by: z.string(),
      }),
    ),
  })
  .meta({ id: "ModelList" });

export const usageSchema = z
  .object({
    requests: z.int(),
    input_tokens: z.int(),
    output_tokens: z.int(),
    cost_usd: z.number(),
    limits: z.object({
      plan: z.string(),
      requests_per_minute: z.int().nullable(),
      tokens_per_day: z.int().nullable(),
      tokens_left: z.int().nullable(),
    }),
    resets_at: z.iso.datetime(),
  })
  .meta({ id: "Usage" });

export type CompletionRequest = z.infer<typeof completionRequestSchema>;
