import type { APIGatewayProxyEvent, Context } from "aws-lambda";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createHttpHandler } from "../../../shared/http/http-handler.ts";
import { operations } from "../../../shared/http/operations.ts";
import { createStreamHandler } from "../../../shared/http/stream-handler.ts";
import type { IdempotencyStore } from "../../../shared/idempotency/idempotency-store.ts";

const NOW = Date.parse("2026-11-21T12:00:00.000Z");
const clock = () => NOW;

beforeAll(() => void vi.spyOn(console, "error").mockImplementation(() => undefined));
afterAll(() => vi.restoreAllMocks());

const event = {
  httpMethod: "GET",
  path: "/v1/sessions/s/chat/m/stream",
  resource: "/v1/sessions/{id}/chat/{message_id}/stream",
  pathParameters: { id: "s", message_id: "m" },
  headers: {},
  requestContext: { requestId: "r", authorizer: { sub: "ann", exp: String(NOW / 1000 + 60) } },
} as unknown as APIGatewayProxyEvent;

/** 20 ms more than the margin for the answer. */
const context = { getRemainingTimeInMillis: () => 520 } as Context;
const never = () => new Promise<never>(() => undefined);
const deps = { clock, corsOrigins: [], idempotency: {} as IdempotencyStore };

describe("a request that takes longer than the timeout of its function", () => {
  it.each([
    ["whole", createHttpHandler(operations.resumeChat, deps, never)],
    ["as a stream", createStreamHandler(operations.resumeChat, deps, never)],
  ])("is answered with 503 before Lambda stops the function: %s", async (_how, handler) => {
    const { statusCode, headers, body } = await handler(event, context);
    expect([statusCode, headers?.["retry-after"], headers?.["x-request-id"]]).toEqual([503, "1", "r"]);
    expect(JSON.parse(body)).toMatchObject({ code: "unavailable", status: 503, request_id: "r" });
  });
});
