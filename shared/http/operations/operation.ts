import type * as z from "zod";
import type { AuditAction } from "../../audit/audit-record.ts";
import type { ResponseHeader } from "../response-headers.ts";

/** Who may call: anyone, a user with a token, or a user in the group `admin`. */
export type Access = "public" | "user" | "admin";

/** One operation of the HTTP API. The gateway routes it, the handler validates it, OpenAPI documents it. */
export interface Operation {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  path: string;
  access: Access;
  /** Whether it erases a user. If so, it also runs while the user's data is being erased. */
  erases?: true;
  /** The action of its audit record. Every operation for admins has an action. */
  audited?: AuditAction;
  summary: string;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** Request headers that it reads, besides those of every operation. */
  requestHeaders?: Readonly<Record<string, z.ZodType>>;
  /** The schema of the body by status of success; `null` = no body. */
  answers: Record<number, z.ZodType | null>;
  /** Content types of a 200 that is not JSON. */
  media?: readonly string[];
  /** The answer 200 may be server-sent events. If it has no schema, it always is. */
  events?: true;
  /** Clients of the OpenAI API call it, so its problems also have OpenAI's `error`. */
  isOpenAI?: true;
  /** Headers of its successes, besides those of every answer. */
  headers?: readonly ResponseHeader[];
  /** Reasons for refusals by status, besides those of every operation of its kind. */
  refusals?: Readonly<Record<number, string>>;
}

/** Whether the operation may write data of its user. It is refused while the user's data is being erased. */
export function writesForUser({ method, access, erases }: Operation): boolean {
  return method !== "GET" && access === "user" && !erases;
}
