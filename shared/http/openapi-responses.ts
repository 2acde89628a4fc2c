import * as z from "zod";
import type { ZodOpenApiResponsesObject } from "zod-openapi";
import { type ErrorCode, statusOf } from "../errors.ts";
import { type Operation, writesForUser } from "./operations/operation.ts";
import type { ResponseHeader } from "./response-headers.ts";

const EVERYWHERE: readonly ResponseHeader[] = [
  "x-request-id",
  "cache-control",
  "content-security-policy",
  "referrer-policy",
  "strict-transport-security",
  "x-content-type-options",
  "vary",
  "access-control-allow-origin",
  "access-control-expose-headers",
];

const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(statusOf) as [ErrorCode, ...ErrorCode[]]),
    request_id: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    error: z
      .object({ message: z.string(), type: z.string(), param: z.string().nullable(), code: z.string() })
      .optional()
      .meta({
        description: "The same error in OpenAI's form. Present on the routes of its API and in answers of the gateway.",
      }),
  })
  .meta({ id: "Problem", description: "RFC 9457 problem details." });

export type Problem = z.infer<typeof problemSchema>;

/** Describes every answer of an operation by status: successes and refusals. */
export function responsesOf(operation: Operation): ZodOpenApiResponsesObject {
  const { summary, answers, events, media = [], headers = [] } = operation;
  const replayed: ResponseHeader[] = isRepeatable(operation) ? ["idempotency-replayed"] : [];
  const refusals = refusalsOf(operation);
  const statuses = [...new Set([...Object.keys(answers), ...Object.keys(refusals)])];
  const responses = statuses.map((status) => {
    const schema = answers[Number(status)];
    const isSuccess = Number(status) < 400;
    const content = {
      ...(schema ? { "application/json": { schema } } : {}),
      ...(status === "200" ? Object.fromEntries(media.map((type) => [type, { schema: mediaSchema }])) : {}),
      ...(events && status === "200" ? { "text/event-stream": { schema: eventsSchema } } : {}),
      ...(status in refusals ? { "application/problem+json": { schema: problemSchema } } : {}),
    };
    const names = [
      ...EVERYWHERE,
      ...(isSuccess ? headers : (REFUSAL_HEADERS[status] ?? [])),
      ...(status === "429" ? headers.filter((name) => name.startsWith("ratelimit")) : []),
      ...(isSuccess || KEPT.has(status) ? replayed : []),
    ];
    return {
      description: refusals[status] ?? summary,
      headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
      ...(Object.keys(content).length > 0 ? { content } : {}),
    };
  });
  return Object.fromEntries(responses.map((response, n) => [statuses[n], response]));
}

const mediaSchema = z.string();
const eventsSchema = z.string().meta({ description: "Server-sent events." });

/** Headers of refusals, by status. */
const REFUSAL_HEADERS: Record<string, readonly ResponseHeader[]> = {
  "401": ["www-authenticate"],
  "409": ["retry-after"],
  "429": ["retry-after"],
  "503": ["retry-after"],
};

/** Refusals that are kept for repeats with the same Idempotency-Key. */
const KEPT = new Set(["400", "404", "409", "413"]);

/** Whether the operation reads an Idempotency-Key, which belongs to a user. */
const isRepeatable = ({ method, access }: Operation): boolean => method === "POST" && access !== "public";

/** Describes the refusals by status. The gateway answers some 401, 403, 413, 429, 500 and 503 itself, without a function. */
function refusalsOf(operation: Operation): Record<string, string> {
  const { access, params, body, refusals } = operation;
  return {
    ...(access === "public"
      ? body && { "400": "The body is not valid; `errors` names the fields." }
      : {
          "400": "The request is not valid; `errors` names the fields.",
          "401": "The token is missing, invalid or expired.",
          "403":
            access === "admin"
              ? "The token is not an admin's, or X-User-Id needs the scope act-as."
              : "X-User-Id needs a token with the scope act-as.",
        }),
    ...(params ? { "404": "This id does not exist, or belongs to another user." } : {}),
    ...(body ? { "413": "The body is too large." } : {}),
    ...(isRepeatable(operation) ? { "422": "The Idempotency-Key was used for another request." } : {}),
    "429": "Too many requests.",
    "500": "The service failed. Its logs contain the cause under the request id.",
    "503": "The service is temporarily unavailable. Retry after the seconds in Retry-After.",
    ...refusals,
    ...conflictsOf(operation),
  };
}

function conflictsOf(operation: Operation): Record<string, string> {
  const reasons = [
    ...(operation.refusals?.[409] ? [operation.refusals[409]] : []),
    ...(isRepeatable(operation) ? ["The first request with this Idempotency-Key is still running."] : []),
    ...(writesForUser(operation) ? ["The data of the user is being erased."] : []),
  ];
  return reasons.length > 0 ? { "409": reasons.join(" ") } : {};
}
