import * as z from "zod";
import {
  appendMessagesSchema,
  createSessionSchema,
  idSchema,
  instantSchema,
  messageSchema,
  patchSessionSchema,
  sessionSchema,
} from "../session/schema.ts";

/** Who may call: anyone, a user with a token, or a user in the group `admin`. */
export type Access = "public" | "user" | "admin";

/** One operation of the HTTP API: what the gateway routes, the handler validates and OpenAPI documents. */
export interface Operation {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  path: string;
  access: Access;
  summary: string;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** Status of success, with the schema of its body; `null` = no body. */
  answers: Record<number, z.ZodType | null>;
}

const page = (item: z.ZodType) => z.object({ data: z.array(item), next_cursor: z.string().nullable() });

const pageQuery = {
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().min(1).max(2048).optional().meta({ description: "`next_cursor` of the page before." }),
};
const rangeQuery = {
  from: instantSchema.optional().meta({ description: "Inclusive." }),
  to: instantSchema.optional().meta({ description: "Exclusive." }),
};
const orderSchema = z.enum(["asc", "desc"]);
const sessionParams = z.object({ id: idSchema });

const healthSchema = z
  .object({
    status: z.enum(["ok", "degraded"]),
    dynamodb: z.enum(["connected", "disconnected"]),
    archive: z.enum(["connected", "disconnected"]),
    active_sessions: z.int().nullable(),
    version: z.string(),
  })
  .meta({ id: "Health" });

export const operations = {
  getHealth: {
    method: "GET",
    path: "/health",
    access: "public",
    summary: "Whether the service and the stores behind it work",
    answers: { 200: healthSchema, 503: healthSchema },
  },
  getOpenapi: {
    method: "GET",
    path: "/openapi.json",
    access: "public",
    summary: "This document",
    answers: { 200: z.looseObject({ openapi: z.string() }) },
  },
  createSession: {
    method: "POST",
    path: "/v1/sessions",
    access: "user",
    summary: "Create a session",
    body: createSessionSchema,
    answers: { 201: sessionSchema },
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
    answers: { 200: sessionSchema },
  },
  patchSession: {
    method: "PATCH",
    path: "/v1/sessions/{id}",
    access: "user",
    summary: "Change a session's title, metadata or lifetime",
    params: sessionParams,
    body: patchSessionSchema,
    answers: { 200: sessionSchema },
  },
  deleteSession: {
    method: "DELETE",
    path: "/v1/sessions/{id}",
    access: "user",
    summary: "Delete a session everywhere: messages, archive and all",
    params: sessionParams,
    answers: { 204: null },
  },
  resetSession: {
    method: "POST",
    path: "/v1/sessions/{id}/reset",
    access: "user",
    summary: "Delete a session's messages and keep the session",
    params: sessionParams,
    answers: { 200: sessionSchema },
  },
  restoreSession: {
    method: "POST",
    path: "/v1/sessions/{id}/restore",
    access: "user",
    summary: "Bring an archived session back, whole",
    params: sessionParams,
    answers: { 200: sessionSchema },
  },
  listMessages: {
    method: "GET",
    path: "/v1/sessions/{id}/messages",
    access: "user",
    summary: "List a session's messages, archived ones too",
    params: sessionParams,
    query: z.object({
      ...pageQuery,
      ...rangeQuery,
      order: orderSchema.default("asc"),
    }),
    answers: { 200: page(messageSchema) },
  },
  appendMessages: {
    method: "POST",
    path: "/v1/sessions/{id}/messages",
    access: "user",
    summary: "Capture one message or up to 100",
    params: sessionParams,
    body: appendMessagesSchema,
    answers: { 201: z.object({ data: z.array(messageSchema) }) },
  },
  cleanupSessions: {
    method: "POST",
    path: "/admin/cleanup-sessions",
    access: "admin",
    summary: "Expire the sessions that have been idle for longer than so many days",
    query: z.object({ days: z.coerce.number().min(0).max(3650).default(7) }),
    answers: { 200: z.object({ expired: z.int() }) },
  },
} as const satisfies Record<string, Operation>;

export type OperationId = keyof typeof operations;
