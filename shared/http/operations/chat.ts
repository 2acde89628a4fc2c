import * as z from "zod";
import {
  chatAnswerSchema,
  chatSchema,
  completionAnswerSchema,
  completionRequestSchema,
  usageSchema,
} from "../../chat/schema.ts";
import { idSchema } from "../../session/schema.ts";
import type { Operation } from "./operation.ts";
import { sessionParams } from "./params.ts";

/** What a stream of server-sent events is, to OpenAPI. */
const events = z.string().meta({ description: "Server-sent events." });

export const chatOperations = {
  chat: {
    method: "POST",
    path: "/v1/sessions/{id}/chat",
    access: "user",
    summary: "Ask, and have the answer stored; whole, or as a stream in the AI SDK UI message stream protocol",
    params: sessionParams,
    body: chatSchema,
    answers: { 200: chatAnswerSchema },
  },
  resumeChat: {
    method: "GET",
    path: "/v1/sessions/{id}/chat/{message_id}/stream",
    access: "user",
    summary: "Follow an answer again from its beginning, whether it has ended or is under way",
    params: sessionParams.extend({ message_id: idSchema }),
    answers: { 200: events },
  },
  createCompletion: {
    method: "POST",
    path: "/v1/chat/completions",
    access: "user",
    summary: "Ask as the OpenAI API is asked; `metadata.session_id` or `X-Session-Id` names the session",
    body: completionRequestSchema,
    answers: { 200: completionAnswerSchema },
  },
  getUsage: {
    method: "GET",
    path: "/v1/usage",
    access: "user",
    summary: "What the user has used today, and may use",
    answers: { 200: usageSchema },
  },
} as const satisfies Record<string, Operation>;
