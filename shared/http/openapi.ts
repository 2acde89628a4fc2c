import * as z from "zod";
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from "zod-openapi";
import { IDEMPOTENCY_KEY } from "../idempotency/attempt.ts";
import { responsesOf } from "./openapi-responses.ts";
import type { Operation } from "./operations/operation.ts";
import { operations } from "./operations.ts";
import { responseHeaders } from "./response-headers.ts";
import { MAX_USER } from "./verify-token.ts";

/** Creates the OpenAPI 3.1 document of all operations, from the schemas that validate requests. */
export function createOpenapi(version: string): object {
  const paths: ZodOpenApiPathsObject = {};
  for (const [id, operation] of Object.entries(operations)) {
    paths[operation.path] = { ...paths[operation.path], [operation.method.toLowerCase()]: describe(id, operation) };
  }
  return createDocument({
    openapi: "3.1.0",
    info: {
      title: "Memocha",
      version,
      description:
        "Keeps the conversations of chat applications: hot while they are active, then archived and readable.",
    },
    security: [{ bearer: [] }],
    paths,
    components: {
      headers: responseHeaders,
      securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
    },
  });
}

function describe(operationId: string, operation: Operation): ZodOpenApiOperationObject {
  const { summary, access, params, query, body } = operation;
  return {
    operationId,
    summary,
    tags: [operation.path.split("/")[2] ?? operation.path.split("/")[1] ?? "system"],
    ...(access === "public" ? { security: [] } : {}),
    requestParams: {
      ...(params ? { path: params } : {}),
      ...(query ? { query } : {}),
      ...(access === "public" ? {} : { header: headers(operation) }),
    },
    ...(body ? { requestBody: { required: true, content: { "application/json": { schema: body } } } } : {}),
    responses: responsesOf(operation),
  } as ZodOpenApiOperationObject;
}

function headers({ method, requestHeaders = {} }: Operation) {
  return z.object({
    "X-User-Id": z
      .string()
      .min(1)
      .max(MAX_USER)
      .optional()
      .meta({ description: "The user to act for. Needs a token with the scope act-as." }),
    ...(method === "POST"
      ? {
          "Idempotency-Key": z
            .string()
            .regex(IDEMPOTENCY_KEY)
            .optional()
            .meta({ description: "Requests with the same key within 24 hours have one effect." }),
        }
      : {}),
    ...requestHeaders,
  });
}
