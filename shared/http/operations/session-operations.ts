import * as z from "zod";
import { createSessionSchema, patchSessionSchema, sessionSchema } from "../../session/schema.ts";
import type { Operation } from "./operation.ts";
import { orderSchema, page, pageQuery, queryNumber, rangeQuery, sessionParams } from "./parameters.ts";

export const sessionOperations = {
  createSession: {
    method: "POST",
    path: "/v1/sessions",
    access: "user",
    summary: "Create a session",
    body: createSessionSchema,
    answers: { 201: sessionSchema },
    headers: ["etag", "location"],
    refusals: {
      404: "The session was deleted since the first request with this Idempotency-Key.",
      409: "The id is in use.",
    },
  },
  listSessions: {
    method: "GET",
    path: "/v1/sessions",
    access: "user",
    summary: "List sessions, newest activity first",
    query: z.object({
      ...pageQuery,
      ...rangeQuery,
      status: z.enum(["active", "archived", "all"]).default("all"),
      pinned: z.enum(["true"]).optional().meta({ description: "Only pinned sessions." }),
      order: orderSchema.default("desc"),
    }),
    answers: { 200: page(sessionSchema) },
  },
  getSession: {
    method: "GET",
    path: "/v1/sessions/{id}",
    access: "user",
    summary: "Read a session",
    params: sessionParams,
    requestHeaders: { "If-None-Match": z.string().optional().meta({ description: "ETags of the session." }) },
    answers: { 200: sessionSchema, 304: null },
    headers: ["etag"],
  },
  patchSession: {
    method: "PATCH",
    path: "/v1/sessions/{id}",
    access: "user",
    summary: "Change a session's title, metadata, lifetime or current branch",
    params: sessionParams,
    requestHeaders: { "If-Match": z.string().optional().meta({ description: "ETags of the session." }) },
    body: patchSessionSchema,
    answers: { 200: sessionSchema },
    headers: ["etag"],
    refusals: { 412: "The session has changed since the ETag in If-Match." },
  },
  deleteSession: {
    method: "DELETE",
    path: "/v1/sessions/{id}",
    access: "user",
    audited: "session.delete",
    summary: "Delete a session everywhere: messages, memories and archive",
    params: sessionParams,
    answers: { 204: null },
  },
  resetSession: {
    method: "POST",
    path: "/v1/sessions/{id}/reset",
    access: "user",
    audited: "session.reset",
    summary: "Delete a session's messages and keep the session",
    params: sessionParams,
    answers: { 200: sessionSchema },
    headers: ["etag"],
  },
  restoreSession: {
    method: "POST",
    path: "/v1/sessions/{id}/restore",
    access: "user",
    summary: "Restore an archived session with all its messages",
    params: sessionParams,
    answers: { 200: sessionSchema },
    headers: ["etag"],
  },
  cleanupSessions: {
    method: "POST",
    path: "/admin/cleanup-sessions",
    access: "admin",
    audited: "session.expire_idle",
    summary: "Expire the sessions that have been idle for longer than `days`",
    query: z.object({
      days: queryNumber(z.number().min(0).max(3650).default(7)),
      preview: z.enum(["true", "false"]).default("false").meta({ description: "`true` only counts them." }),
    }),
    answers: {
      200: z.object({
        expired: z.int(),
        complete: z
          .boolean()
          .meta({ description: "False if the request ran out of time: call again for the other sessions." }),
      }),
    },
  },
} as const satisfies Record<string, Operation>;
