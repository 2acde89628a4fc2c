import type { APIGatewayProxyEvent } from "aws-lambda";
import type * as z from "zod";
import { AppError } from "../errors.ts";
import type { Middleware } from "./http-request.ts";
import type { Operation } from "./operations/operation.ts";
import { parseBody } from "./parse-body.ts";
import { validate } from "./validate.ts";

/**
 * Middleware: parses the path, the query and the body with the operation's schemas. Throws `validation_failed`, `not_found`,
 * `bad_request`, `payload_too_large`.
 */
export function parseRequest({ path, params, query, body }: Operation): Middleware {
  return {
    before: ({ event, context }) => {
      context.params = params && parseParams(path, params, event.pathParameters ?? {});
      context.query = query && validate(query, event.queryStringParameters ?? {});
      context.body = body && validate(body, bodyOf(event));
    },
  };
}

/** A missing body is parsed as an empty object, so that the schema names the missing fields. */
function bodyOf({ body, isBase64Encoded }: APIGatewayProxyEvent): unknown {
  const value = parseBody(body, isBase64Encoded);
  return value === undefined ? {} : value;
}

/** An invalid id cannot exist: answer 404, not 400. API Gateway does not decode path parameters. */
function parseParams(path: string, schema: z.ZodObject, params: Record<string, string | undefined>): unknown {
  const decoded = Object.entries(params).map(([name, value]) => [name, decode(value ?? "")]);
  const result = schema.safeParse(Object.fromEntries(decoded));
  if (result.success) return result.data;
  const invalid = String(result.error.issues[0]?.path[0]);
  throw new AppError("not_found", `no such ${nounOf(path, invalid)}`);
}

/** Decodes a path parameter. Returns `undefined`, which no schema accepts, when it is not percent-encoded UTF-8. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Returns the kind of thing that a path parameter names: "memory" in `/v1/memories/{id}`. A chat is a session. */
function nounOf(path: string, name: string): string {
  if (name !== "id") return name.replace(/_id$/, "");
  const collection = /\/(\w+)\/\{id\}/.exec(path)?.[1] ?? "resource";
  return collection === "chat" ? "session" : collection.replace(/ies$/, "y").replace(/s$/, "");
}
