import * as z from "zod";
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from "zod-openapi";
import { type Operation, operations } from "./operations.ts";

const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    request_id: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: "Problem", description: "RFC 9457 problem details." });

const problem = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: problemSchema } },
});

/** The OpenAPI 3.1 document of everything that is served, from the schemas that check requests. */
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
    components: { securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } } },
  });
}

function describe(operationId: string, operation: Operation): ZodOpenApiOperationObject {
  const { summary, access, params, query, body, method } = operation;
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
    responses: {
      ...Object.fromEntries(
        Object.entries(operation.answers).map(([status, schema]) => [
          status,
          schema ? { description: summary, content: { "application/json": { schema } } } : { description: summary },
        ]),
      ),
      ...(access === "public" ? {} : { "401": problem("No token, a bad or an expired one.") }),
      ...(query || body || params ? { "400": problem("The request is not valid; `errors` names the fields.") } : {}),
      ...(access === "admin" ? { "403": problem("The token is not one of an admin.") } : {}),
      ...(params ? { "404": problem("No such session of this user.") } : {}),
      ...(operationId === "createSession" ? { "409": problem("The id exists.") } : {}),
      ...(method === "PATCH" ? { "412": problem("The session is not the one that If-Match names.") } : {}),
      ...(method === "POST" ? { "422": problem("The Idempotency-Key was used for another request.") } : {}),
      "429": problem("Too many requests; Retry-After says when to come back."),
      "503": problem("Try again after the seconds in Retry-After."),
    },
  } as ZodOpenApiOperationObject;
}

function headers({ method }: Operation) {
  return z.object({
    "X-User-Id": z.string().optional().meta({ description: "With a token of the scope act-as: the user to act for." }),
    ...(method === "POST"
      ? { "Idempotency-Key": z.string().optional().meta({ description: "Repeats within 24 hours have one effect." }) }
      : {}),
    ...(method === "PATCH" ? { "If-Match": z.string().optional().meta({ description: "ETag of the session." }) } : {}),
  });
}
