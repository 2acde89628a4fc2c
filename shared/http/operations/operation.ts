import type * as z from "zod";
import type { ResponseHeader } from "../response-headers.ts";

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
  /** Request headers that it reads, beside those of every operation. */
  requestHeaders?: Readonly<Record<string, z.ZodType>>;
  /** Status of success, with the schema of its body; `null` = no body. */
  answers: Record<number, z.ZodType | null>;
  /** It answers 200 as server-sent events too, or only so when there is no schema. */
  events?: true;
  /** Headers of its successes, beside those of every answer. */
  headers?: readonly ResponseHeader[];
  /** Why it refuses, by status, beside the refusals of every operation of its kind. */
  refusals?: Readonly<Record<number, string>>;
}
