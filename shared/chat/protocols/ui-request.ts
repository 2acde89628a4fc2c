import * as z from "zod";
import { bodyOf, contentSchema, type MessagePart, partsSchema } from "../../session/parts.ts";
import { idSchema, type MessageInput, metadataSchema } from "../../session/schema.ts";
import { questionPartsSchema, turnOptions } from "../schema.ts";
import type { TurnRequest } from "../turn.ts";
import type { UiPart } from "./ui-message.ts";

const uiMessageSchema = z.looseObject({
  id: z.string().min(1).max(128),
  role: z.enum(["system", "user", "assistant"]),
  metadata: z.unknown().optional(),
  parts: z.array(z.looseObject({ type: z.string() })).max(1000),
});

type ClientMessage = z.infer<typeof uiMessageSchema>;

/** What the AI SDK's `DefaultChatTransport` sends, and the options of a turn beside it. Fields of other names are ignored. */
const bodySchema = z
  .looseObject({
    id: idSchema.meta({ description: "Names the session." }),
    messages: z.array(uiMessageSchema).min(1).max(2000).meta({ description: "`UIMessage`s of the AI SDK." }),
    trigger: z.enum(["submit-message", "regenerate-message"]).default("submit-message"),
    messageId: z.string().max(128).nullish().meta({
      description:
        "With `submit-message`: the message of the user that is replaced. Its answers stay on a branch of their own.",
    }),
    ...turnOptions,
  })
  .meta({ id: "UiChat" });

/** A request of the AI SDK as a turn. */
export interface UiTurn extends Required<Pick<TurnRequest, "question" | "before">>, Pick<TurnRequest, "system"> {
  /** Path of the question in the request, for errors. */
  path: string;
  /** Places of the results in the client's message. */
  places?: number[];
  /** The client's id of the message that the question replaces, or of the question that is answered again. */
  replaced?: string;
  isRegenerated: boolean;
  /** The client's id of the message that the answer continues. */
  continued?: string;
}

export const uiChatSchema = bodySchema.transform((body, context) => {
  const { id, model, temperature, max_output_tokens, memory, incognito, tools, tool_choice } = body;
  const at = body.messages.length - 1;
  const last = body.messages[at];
  const parts = last ? questionParts(last) : [];
  const checked = questionPartsSchema.safeParse(parts);
  if (!last || last.role === "system" || parts.length === 0) {
    const message = "must end with a message of the user that is not empty, or with results of the answer's tools";
    context.addIssue({ code: "custom", path: ["messages"], message });
    return z.NEVER;
  }
  if (!checked.success) {
    for (const { path, message } of checked.error.issues) {
      context.addIssue({ code: "custom", path: ["messages", at, "parts", ...path], message });
    }
    return z.NEVER;
  }
  const history = body.messages.slice(0, at).map((message) => (message.role === "system" ? [] : historyOf(message)));
  const problems = history.flatMap((inputs, n) => inputs.flatMap(problemsOf).map((message) => ({ n, message })));
  for (const { n, message } of problems) {
    context.addIssue({ code: "custom", path: ["messages", n, "parts"], message });
  }
  const isAnswer = last.role === "assistant";
  const system = body.messages.filter(({ role }) => role === "system").map(textOf);
  const metadata = metadataSchema.safeParse(last.metadata).data;
  const question = isAnswer
    ? { role: "tool" as const, ...bodyOf({ parts: checked.data }) }
    : {
        role: "user" as const,
        ...bodyOf({ parts: checked.data }),
        client_id: last.id,
        ...(metadata ? { metadata } : {}),
      };
  const isRegenerated = body.trigger === "regenerate-message";
  const turn: UiTurn = {
    question,
    path: `messages.${at}.`,
    before: history.flat(),
    system: system.length > 0 ? system.join("\n\n") : undefined,
    isRegenerated,
    ...(isAnswer ? { continued: last.id, places: placesOf(last) } : {}),
    ...(!isAnswer && (isRegenerated || body.messageId === last.id) ? { replaced: last.id } : {}),
  };
  return { id, model, temperature, max_output_tokens, memory, incognito, tools, tool_choice, turn };
});

const textOf = ({ parts }: ClientMessage): string =>
  parts.map(({ text }) => (typeof text === "string" ? text : "")).join("");

/** Places of the results of the last step's tools in an answer. */
function placesOf({ parts }: ClientMessage): number[] {
  const step = parts.findLastIndex(({ type }) => type === "step-start");
  return parts.flatMap((part, n) => (n > step && isToolPart(part) && resultOf(part).length > 0 ? [n] : []));
}

/** The parts of the question: all of a user's message, and of an answer the results of its last step's tools. */
function questionParts({ role, parts }: ClientMessage): UiPart[] {
  if (role === "user") return parts.map(toPart);
  const step = parts.slice(parts.findLastIndex(({ type }) => type === "step-start") + 1);
  return step.filter(isToolPart).flatMap(resultOf);
}

const isToolPart = ({ type, toolCallId }: UiPart): boolean =>
  typeof toolCallId === "string" && (type.startsWith("tool-") || type === "dynamic-tool");

const toolName = ({ type, toolName }: UiPart) => (type === "dynamic-tool" ? toolName : type.slice("tool-".length));

/** The result of a tool; none while the tool is running. */
function resultOf(part: UiPart): UiPart[] {
  const { toolCallId: tool_call_id, state, output = null, errorText = "" } = part;
  const result = { type: "tool_result", tool_call_id, name: toolName(part) };
  if (state === "output-available") return [{ ...result, output }];
  if (state === "output-error") return [{ ...result, output: errorText, is_error: true }];
  return state === "output-denied" ? [{ ...result, output: "The user denied this call.", is_error: true }] : [];
}

/** Converts a part to Memocha's form. The schema of parts refuses unknown kinds. */
function toPart(part: UiPart): UiPart {
  const { type, text, url, mediaType, filename, title, data } = part;
  if (isToolPart(part)) {
    return { type: "tool_call", tool_call_id: part.toolCallId, name: toolName(part), input: part.input ?? null };
  }
  if (type === "file") {
    const known = (part.providerMetadata as { memocha?: { file_id?: unknown } } | undefined)?.memocha?.file_id;
    const place = known === undefined ? { data: url } : { file_id: known };
    return { type, ...place, media_type: mediaType, ...(filename ? { filename } : {}) };
  }
  if (type === "source-url") return { type: "source", url, ...(title ? { title } : {}) };
  if (type.startsWith("data-")) return { type: "data", name: type.slice("data-".length), data };
  return type === "text" || type === "reasoning" ? { type, text } : part;
}

/** A message that the client has kept, as messages of a session: a step of an answer is a message, and so are the results of its tools. */
function historyOf(message: ClientMessage): MessageInput[] {
  if (message.role !== "assistant") return inputOf("user", message.parts.map(toPart), message.id);
  const steps: UiPart[][] = [[]];
  for (const part of message.parts) part.type === "step-start" ? steps.push([]) : steps.at(-1)?.push(part);
  const inputs = steps.flatMap((parts) => [
    ...inputOf("assistant", parts.filter(({ type }) => !type.startsWith("data-")).map(toPart)),
    ...inputOf("tool", parts.filter(isToolPart).flatMap(resultOf)),
  ]);
  const [first, ...rest] = inputs;
  return first ? [{ ...first, client_id: message.id } as MessageInput, ...rest] : [];
}

/** Empty if no part of it can be stored. */
function inputOf(role: MessageInput["role"], parts: readonly UiPart[], client_id?: string): MessageInput[] {
  const known = parts.filter((part) => isOnlySize(partsSchema.safeParse([part]))) as unknown as MessagePart[];
  const body = bodyOf({ parts: known });
  if (known.length === 0 || (body.content === "" && !body.parts)) return [];
  return [{ role, ...body, ...(client_id ? { client_id } : {}) } as MessageInput];
}

/** Whether a part is known, although it may be too large. The path of an error of size is that of all parts. */
const isOnlySize = ({ error }: { error?: z.ZodError }): boolean =>
  error?.issues.every(({ path }) => path.length === 0) ?? true;

/** Why a message of the history is too large to be stored. */
const problemsOf = ({ content, parts }: MessageInput): string[] =>
  (parts ? partsSchema.safeParse(parts) : contentSchema.safeParse(content)).error?.issues.map(
    ({ message }) => message,
  ) ?? [];
