import * as z from "zod";
import { appendMessagesSchema, idSchema, messageSchema } from "../../session/schema.ts";
import type { Operation } from "./operation.ts";
import { orderSchema, page, pageQuery, rangeQuery, sessionParams } from "./parameters.ts";

export const messageOperations = {
  listMessages: {
    method: "GET",
    path: "/v1/sessions/{id}/messages",
    access: "user",
    summary: "List a session's messages, also if it is archived",
    params: sessionParams,
    query: z.object({
      ...pageQuery,
      ...rangeQuery,
      order: orderSchema.default("asc"),
      branch: idSchema.default("current").meta({
        description: "`current`, `all`, or the id of a message, which lists the path that ends with it.",
      }),
    }),
    answers: { 200: page(messageSchema) },
  },
  appendMessages: {
    method: "POST",
    path: "/v1/sessions/{id}/messages",
    access: "user",
    summary: "Store one message, or up to 100, without asking a model",
    params: sessionParams,
    body: appendMessagesSchema,
    answers: { 201: z.object({ data: z.array(messageSchema) }) },
  },
  deleteMessage: {
    method: "DELETE",
    path: "/v1/sessions/{id}/messages/{message_id}",
    access: "user",
    audited: "message.delete",
    summary: "Delete a message and all that follow it, on every branch",
    params: sessionParams.extend({ message_id: idSchema }),
    answers: { 204: null },
  },
} as const satisfies Record<string, Operation>;
