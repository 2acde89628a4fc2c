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
export function parseRequest({ params, query, body }: Operation): Middleware {
  return {
    before: ({ event, context }) => {
      context.params = params && parseParams(params, event.pathParameters ?? {});
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
function parseParams(schema: z.ZodObject, params: Record<string, string | undefined>): unknown {
  try {
    const decoded = Object.entries(params).map(([name, value]) => [name, decodeURIComponent(value ?? "")]);
    const result = schema.safeParse(Object.fromEntries(decoded));
    if (result.success) return result.data;
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
  }
  throw new AppError("not_found", "no such resource");
}
