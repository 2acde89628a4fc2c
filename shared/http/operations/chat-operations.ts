import * as z from "zod";
import { uiChatSchema } from "../../chat/protocols/ui-request.ts";
import {
  chatAnswerSchema,
  chatSchema,
  completionAnswerSchema,
  completionRequestSchema,
  modelListSchema,
  stopAnswerSchema,
  uiMessagesSchema,
  usageSchema,
} from "../../chat/schema.ts";
import { idSchema } from "../../session/schema.ts";
import type { Operation } from "./operation.ts";
import { sessionParams } from "./parameters.ts";

const turnHeaders = ["ratelimit", "ratelimit-policy"] as const;
const streamHeaders = ["x-vercel-ai-ui-message-stream", "x-accel-buffering"] as const;

const OTHER_KIND = "`incognito` says something else than the session is.";
const NO_PROVIDER = "The model's provider rejects the deployment, or its answer broke off.";

export const chatOperations = {
  chat: {
    method: "POST",
    path: "/v1/sessions/{id}/chat",
    access: "user",
    summary: "Ask a model, and store question and answer. Creates the session if it is new",
    params: sessionParams,
    body: chatSchema,
    answers: { 200: chatAnswerSchema },
    events: true,
    headers: [...turnHeaders, ...streamHeaders],
    refusals: { 409: OTHER_KIND, 502: NO_PROVIDER },
  },
  followChat: {
    method: "GET",
    path: "/v1/sessions/{id}/chat/stream",
    access: "user",
    summary: "Follow the answer that is being given, from its beginning; 204 when none is",
    params: sessionParams,
    answers: { 200: null, 204: null },
    events: true,
    headers: streamHeaders,
    refusals: { 404: "The id cannot be one of a session." },
  },
  stopChat: {
    method: "POST",
    path: "/v1/sessions/{id}/stop",
    access: "user",
    summary: "Stop the answer that is being given; what was said so far is stored",
    params: sessionParams,
    answers: { 200: stopAnswerSchema },
    refusals: { 404: "The id cannot be one of a session." },
  },
  resumeChat: {
    method: "GET",
    path: "/v1/sessions/{id}/chat/{message_id}/stream",
    access: "user",
    summary: "Follow one answer from its beginning, whether it has ended or is being given",
    params: sessionParams.extend({ message_id: idSchema }),
    answers: { 200: null },
    events: true,
    headers: streamHeaders,
  },
  sendUiChat: {
    method: "POST",
    path: "/v1/chat",
    access: "user",
    summary: "Ask as the AI SDK's `DefaultChatTransport` does; `id` names the session, which is created if it is new",
    body: uiChatSchema,
    answers: { 200: null },
    events: true,
    headers: [...turnHeaders, ...streamHeaders],
    refusals: {
      404: "The session or the answer was deleted since the first request with this Idempotency-Key.",
      409: OTHER_KIND,
    },
  },
  readUiChat: {
    method: "GET",
    path: "/v1/chat/{id}",
    access: "user",
    summary: "Read the current branch of a session as the AI SDK's UI messages: the newest, 4 MB at most",
    params: sessionParams,
    answers: { 200: uiMessagesSchema },
    refusals: { 404: "The id cannot be one of a session." },
  },
  followUiChat: {
    method: "GET",
    path: "/v1/chat/{id}/stream",
    access: "user",
    summary: "Resume as the AI SDK does: follow the answer that is being given; 204 when none is",
    params: sessionParams,
    answers: { 200: null, 204: null },
    events: true,
    headers: streamHeaders,
    refusals: { 404: "The id cannot be one of a session." },
  },
  createCompletion: {
    method: "POST",
    path: "/v1/chat/completions",
    access: "user",
    summary: "Ask as the OpenAI API is asked; `metadata.session_id` or `X-Session-Id` names the session",
    body: completionRequestSchema,
    requestHeaders: {
      "X-Session-Id": idSchema.optional(),
      "X-Stainless-Retry-Count": z.string().optional().meta({
        description: "How often OpenAI's SDK has retried the request. A retry within ten minutes is the same turn.",
      }),
    },
    answers: { 200: completionAnswerSchema },
    events: true,
    headers: [...turnHeaders, "x-session-id", "x-accel-buffering"],
    isOpenAI: true,
    refusals: {
      404: "No such model; or the session or the answer was deleted since the first request with this Idempotency-Key.",
      409: OTHER_KIND,
      502: NO_PROVIDER,
    },
  },
  listModels: {
    method: "GET",
    path: "/v1/models",
    access: "user",
    summary: "The models that a request can name, as the OpenAI API lists them",
    answers: { 200: modelListSchema },
    isOpenAI: true,
  },
  getUsage: {
    method: "GET",
    path: "/v1/usage",
    access: "user",
    summary: "What the user has used today, and may use",
    answers: { 200: usageSchema },
  },
} as const satisfies Record<string, Operation>;
