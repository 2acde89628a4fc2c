import type * as z from "zod";

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
