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

const OTHER_KIND = "`incognito` in the request contradicts the existing session.";
const NO_SESSION_ID = "The id is not a valid session id.";
const NO_PROVIDER = "The model's provider rejected the request of the deployment, or its answer ended early.";

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
    summary: "Follow the running answer from its beginning; 204 when no answer runs",
    params: sessionParams,
    answers: { 200: null, 204: null },
    events: true,
    headers: streamHeaders,
    refusals: { 404: NO_SESSION_ID },
  },
  stopChat: {
    method: "POST",
    path: "/v1/sessions/{id}/stop",
    access: "user",
    summary: "Stop the running answer; the text so far is stored",
    params: sessionParams,
    answers: { 200: stopAnswerSchema },
    refusals: { 404: NO_SESSION_ID },
  },
  resumeChat: {
    method: "GET",
    path: "/v1/sessions/{id}/chat/{message_id}/stream",
    access: "user",
    summary: "Follow one answer from its beginning, whether it is running or complete",
    params: sessionParams.extend({ message_id: idSchema }),
    answers: { 200: null },
    events: true,
    headers: streamHeaders,
  },
  sendUiChat: {
    method: "POST",
    path: "/v1/chat",
    access: "user",
    summary:
      "Ask with a request of the AI SDK's `DefaultChatTransport`; `id` names the session, which is created if it is new",
    body: uiChatSchema,
    answers: { 200: null },
    events: true,
    headers: [...turnHeaders, ...streamHeaders],
    refusals: {
      404: "No such model; or the session or the answer was deleted since the first request with this Idempotency-Key.",
      409: OTHER_KIND,
      502: NO_PROVIDER,
    },
  },
  readUiChat: {
    method: "GET",
    path: "/v1/chat/{id}",
    access: "user",
    summary: "Read the current branch of a session as the AI SDK's UI messages: the newest ones, in at most 4 MB",
    params: sessionParams,
    answers: { 200: uiMessagesSchema },
    refusals: { 404: NO_SESSION_ID },
  },
  followUiChat: {
    method: "GET",
    path: "/v1/chat/{id}/stream",
    access: "user",
    summary: "Follow the running answer, as the AI SDK resumes; 204 when no answer runs",
    params: sessionParams,
    answers: { 200: null, 204: null },
    events: true,
    headers: streamHeaders,
    refusals: { 404: NO_SESSION_ID },
  },
  createCompletion: {
    method: "POST",
    path: "/v1/chat/completions",
    access: "user",
    summary: "Ask with a request of the OpenAI API; `metadata.session_id` or `X-Session-Id` names the session",
    body: completionRequestSchema,
    requestHeaders: {
      "X-Session-Id": idSchema.optional(),
      "X-Stainless-Retry-Count": z.string().optional().meta({
        description: "The number of retries by OpenAI's SDK. A retry within ten minutes belongs to the same turn.",
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
    summary: "List the models that a request can name, in the format of the OpenAI API",
    answers: { 200: modelListSchema },
    isOpenAI: true,
  },
  getUsage: {
    method: "GET",
    path: "/v1/usage",
    access: "user",
    summary: "Read what the user has used today, and the limits of the plan",
    answers: { 200: usageSchema },
  },
} as const satisfies Record<string, Operation>;
