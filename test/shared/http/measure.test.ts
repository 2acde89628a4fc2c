import { Writable } from "node:stream";
import { executionModeStreamifyResponse } from "@middy/core/executionModeStreamifyResponse";
import type { APIGatewayProxyEvent, Context } from "aws-lambda";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AppError } from "../../../shared/errors.ts";
import { hashId } from "../../../shared/hash.ts";
import { createHttpHandler, type HttpResponse } from "../../../shared/http/http-handler.ts";
import { operations } from "../../../shared/http/operations.ts";
import { createStreamHandler } from "../../../shared/http/stream-handler.ts";
import type { IdempotencyStore } from "../../../shared/idempotency/idempotency-store.ts";
import { log } from "../../../shared/log.ts";
import type { Metric } from "../../../shared/metrics/metric.ts";
import { createRecorder, PATIENCE } from "../../../shared/metrics/recorder.dynamodb.ts";
import { noRecorder, type Recorder } from "../../../shared/metrics/recorder.ts";

const context = { getRemainingTimeInMillis: () => 29_000 } as Context;
const recorded: Metric[] = [];
let running: string[] = [];

/** Waits, and records when it begins and ends. */
const slowly = async (name: string, milliseconds: number) => {
  running.push(`${name} begins`);
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  running.push(`${name} ends`);
};

const recorder: Recorder = {
  ...noRecorder,
  async record(metric) {
    recorded.push(metric);
    await slowly("metric", 100);
  },
};

const idempotency: IdempotencyStore = {
  begin: async (_user, key, { identity }) =>
    key === FIRST
      ? { kind: "run", identity }
      : { kind: "answered", identity, answer: { status: 201, headers: {}, body: "{}" } },
  finish: () => slowly("keeping", 100),
  release: async () => undefined,
};
// SHA-256 of "first".
const FIRST = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e";

const eventOf = (key?: string, body: object = {}) =>
  ({
    httpMethod: "POST",
    path: "/v1/sessions",
    resource: "/v1/sessions",
    headers: key === undefined ? {} : { "idempotency-key": key },
    body: JSON.stringify(body),
    requestContext: { requestId: "r", authorizer: { sub: "ann", exp: "99999999999", plan: "" } },
  }) as unknown as APIGatewayProxyEvent;

const handlerOf = (serve: () => Promise<HttpResponse>, metrics: Recorder = recorder) =>
  createHttpHandler(
    operations.createSession,
    { clock: Date.now, corsOrigins: [], idempotency, recorder: metrics },
    async ({ observe }) => {
      observe({ sessions: 1 });
      return await serve();
    },
  );

const created = async () => ({ status: 201, body: { id: "s" } });

beforeEach(() => {
  recorded.length = 0;
  running = [];
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.spyOn(console, "error").mockImplementation(() => undefined);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Measures an answer in milliseconds of the fake clock. */
async function timeOf(answering: Promise<unknown>): Promise<number> {
  let isDone = false;
  void answering.then(() => {
    isDone = true;
  });
  let time = 0;
  for (; !isDone && time < 60_000; time += 10) await vi.advanceTimersByTimeAsync(10);
  return time;
}

describe("the metric of a request", () => {
  it("is written at the same time as the idempotency record, so that it adds no delay", async () => {
    expect(await timeOf(handlerOf(created)(eventOf("first"), context))).toBeLessThan(150);
    expect(running).toEqual(["metric begins", "keeping begins", "metric ends", "keeping ends"]);
    expect(recorded).toEqual([
      {
        kind: "api.request",
        dimensions: { route: "POST /v1/sessions", status: "2xx" },
        measures: { duration_ms: expect.any(Number), sessions: 1 },
        user: "ann",
      },
    ]);
  });

  it("has the sum of the stored items, and items stored after the answer are recorded at once", async () => {
    let late: (() => void) | undefined;
    const slow = createHttpHandler(
      operations.createSession,
      { clock: Date.now, corsOrigins: [], recorder },
      async ({ observe }) => {
        observe({ plan: "free" });
        observe({ sessions: 1 });
        observe({ messages: 2 });
        observe({ messages: 3 });
        late = () => observe({ messages: 4 });
        return await created();
      },
    );
    await timeOf(slow(eventOf(), context));
    late?.();
    const dimensions = { route: "POST /v1/sessions", status: "2xx", plan: "free" };
    expect(recorded).toEqual([
      {
        kind: "api.request",
        dimensions,
        measures: { duration_ms: expect.any(Number), sessions: 1, messages: 5 },
        user: "ann",
      },
      // Without a duration and a user, it counts neither as a request nor for a user.
      { kind: "api.request", dimensions, measures: { messages: 4 } },
    ]);
  });

  it("is recorded once per request, also for a repeat, a refusal and a failure", async () => {
    const failing = async (): Promise<HttpResponse> => {
      throw new AppError("unavailable", "the store does not answer");
    };
    await timeOf(handlerOf(created)(eventOf("repeat"), context));
    await timeOf(handlerOf(created)(eventOf("first", { id: "no id" }), context));
    await timeOf(handlerOf(failing)(eventOf("first"), context));
    await timeOf(handlerOf(created)(eventOf(), context));
    expect(recorded.map(({ dimensions, error }) => [(dimensions as { status: string }).status, error])).toEqual([
      ["2xx", undefined],
      ["4xx", "validation_failed"],
      ["5xx", "unavailable"],
      ["2xx", undefined],
    ]);
  });

  it.each<[string, number, Record<string, string>, Record<string, string>, string | undefined]>([
    ["of the token", 201, {}, {}, "ann"],
    ["of X-User-Id with the scope for it", 201, { act_as: "true" }, { "x-user-id": "bob" }, "bob"],
    ["no user, when X-User-Id is refused", 403, { act_as: "false" }, { "x-user-id": "bob" }, undefined],
    ["no user, when X-User-Id names nobody", 400, { act_as: "true" }, { "x-user-id": "" }, undefined],
    ["no user, when the token has expired", 401, { exp: "1" }, {}, undefined],
  ])("counts for the user %s", async (_whom, status, claims, headers, user) => {
    const event = eventOf();
    Object.assign(event.headers, headers);
    Object.assign(event.requestContext.authorizer!, claims);
    const lines: string[] = [];
    vi.mocked(console.error).mockImplementation((line) => void lines.push(line));
    const answering = handlerOf(async () => {
      log("error", { message: "seen" });
      return await created();
    })(event, context);
    await timeOf(answering);
    expect((await answering).statusCode).toBe(status);
    expect(recorded.map((metric) => metric.user)).toEqual([user]);
    expect(lines.map((line) => JSON.parse(line).user)).toEqual(user === undefined ? [] : [hashId(user)]);
  });

  it("delays the answer by at most 500 ms if the store does not respond, and not at all if the store refuses it", async () => {
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const batchWrite = async () => undefined;
    const stuck = createRecorder({ put: () => new Promise(() => undefined), batchWrite }, Date.now);
    const time = await timeOf(handlerOf(created, stuck)(eventOf(), context));
    expect(time).toBeGreaterThanOrEqual(PATIENCE);
    expect(time).toBeLessThanOrEqual(PATIENCE + 50);
    const refusing = createRecorder({ put: () => Promise.reject(new Error("no")), batchWrite }, Date.now);
    expect(await timeOf(handlerOf(created, refusing)(eventOf(), context))).toBeLessThan(50);
    expect(JSON.parse(vi.mocked(console.warn).mock.calls[0]![0])).toMatchObject({
      message: "metrics could not be written",
      kinds: ["api.request"],
    });
  });

  it("of a stream is written after the client has the last byte", async () => {
    vi.stubGlobal("awslambda", {
      streamifyResponse: (handler: unknown) => handler,
      HttpResponseStream: { from: (stream: Writable) => stream },
    });
    const client = new Writable({
      decodeStrings: false,
      write(chunk, _encoding, done) {
        if (chunk !== "") running.push(String(chunk));
        done();
      },
      final(done) {
        running.push("the end");
        done();
      },
    });
    const handler = createStreamHandler(
      operations.resumeChat,
      {
        clock: Date.now,
        corsOrigins: [],
        idempotency,
        recorder,
        executionMode: executionModeStreamifyResponse as never,
      },
      async () => ({
        status: 200,
        headers: {},
        stream: (async function* () {
          yield "Hello ";
          yield "there";
        })(),
        done: Promise.resolve(),
      }),
    ) as unknown as (event: unknown, stream: Writable, context: unknown) => Promise<void>;
    const event = { ...eventOf(), httpMethod: "GET", pathParameters: { id: "s", message_id: "m" } };
    await timeOf(handler(event, client, context));
    vi.unstubAllGlobals();
    expect(running).toEqual(["Hello ", "there", "the end", "metric begins", "metric ends"]);
    expect(recorded).toMatchObject([{ dimensions: { status: "2xx" } }]);
  });
});
