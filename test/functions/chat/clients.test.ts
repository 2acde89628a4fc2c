import { DefaultChatTransport, readUIMessageStream, type UIMessage } from "ai";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Listening } from "../../../infra/local/listen.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { createChatWorld, createInstance } from "../../support/chat-world.ts";
import { startFakeOpenAI } from "../../support/fake-openai.ts";
import { startChatServer } from "../../support/start-chat-server.ts";
import { useChat } from "../../support/use-chat.ts";

const t = useChat();
let api: Listening;
let count = 0;
let id = "";

beforeAll(async () => {
  // What goes wrong on purpose is logged.
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  api = await startChatServer(t.world, t.chat.deps);
});
beforeEach(async () => {
  id = `session-${count++}`;
  await t.world.create("ann", id);
});
afterAll(async () => {
  await api.close();
});

const stored = async (session = id) =>
  (await listMessages(t.world.stores, { user: "ann", id: session }, { order: "asc", limit: 100 })).messages;
const post = (path: string, body: object, headers: Record<string, string> = {}) =>
  fetch(api.url + path, {
    method: "POST",
    headers: { authorization: "Bearer ann", "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

describe("POST /v1/sessions/{id}/chat", () => {
  const chat = (body: object, headers = {}) => post(`/v1/sessions/${id}/chat`, body, headers);

  it("answers without streaming", async () => {
    const response = await chat({ content: "good morning" });
    expect(response.status).toBe(200);
    const { message, memories } = (await response.json()) as { message: object; memories: object[] };
    expect(message).toMatchObject({
      session_id: id,
      role: "assistant",
      content: "You said: good morning",
      model: "model-a",
      status: "complete",
      usage: { input_tokens: 12, output_tokens: 4, cost_usd: 0.00002 },
    });
    expect(memories).toEqual([]);
  });

  it("can be read by the AI SDK's client", async () => {
    t.fake.next({ perToken: 20 });
    const transport = new DefaultChatTransport<UIMessage>({
      api: `${api.url}/v1/sessions/${id}/chat`,
      headers: { authorization: "Bearer ann" },
      prepareSendMessagesRequest: ({ messages }) => {
        const text = messages
          .at(-1)
          ?.parts.map((part) => (part.type === "text" ? part.text : ""))
          .join("");
        return { body: { content: text, stream: true } };
      },
      prepareReconnectToStreamRequest: ({ id: message }) => ({
        api: `${api.url}/v1/sessions/${id}/chat/${message}/stream`,
        headers: { authorization: "Bearer ann" },
      }),
    });
    const question: UIMessage = { id: "q", role: "user", parts: [{ type: "text", text: "good morning" }] };
    const stream = await transport.sendMessages({
      trigger: "submit-message",
      chatId: id,
      messageId: undefined,
      messages: [question],
      abortSignal: undefined,
    });
    const seen: string[] = [];
    let last: UIMessage | undefined;
    for await (const message of readUIMessageStream({ stream })) {
      last = message;
      seen.push(message.parts.map((part) => (part.type === "text" ? part.text : "")).join(""));
    }
    expect(seen).toContain("You said: ");
    expect(seen.at(-1)).toBe("You said: good morning");
    const [, answer] = await stored();
    expect(last).toMatchObject({
      id: answer!.id,
      role: "assistant",
      parts: [{ type: "step-start" }, { type: "text", text: "You said: good morning", state: "done" }],
      metadata: { session_id: id, model: "model-a", status: "complete", usage: { output_tokens: 4 } },
    });

    const resumed = await transport.reconnectToStream({ chatId: answer!.id });
    for await (const message of readUIMessageStream({ stream: resumed! })) last = message;
    expect(last).toMatchObject({
      id: answer!.id,
      parts: [{ type: "step-start" }, { type: "text", text: "You said: good morning" }],
    });
  });

  it("sends its first event with the first token, in the protocol's form", async () => {
    t.fake.next({ perToken: 300 });
    const response = await chat({ content: "one two" }, { accept: "text/event-stream" });
    const began = Date.now();
    expect(response.headers.get("x-vercel-ai-ui-message-stream")).toBe("v1");
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    const lines = (await response.text()).split("\n\n").filter(Boolean);
    // Three more tokens follow the first one.
    expect(Date.now() - began).toBeGreaterThan(500);
    const types = lines.slice(0, -1).map((line) => JSON.parse(line.slice(6)).type);
    expect(types).toEqual([
      "start",
      "start-step",
      "text-start",
      ...Array(4).fill("text-delta"),
      "text-end",
      "finish-step",
      "finish",
    ]);
    expect(lines.at(-1)).toBe("data: [DONE]");
  });

  it("ends with an error event when the provider fails during the answer", async () => {
    t.fake.next({ resetAfter: 2, perToken: 20 });
    const text = await (await chat({ content: "one two three", stream: true })).text();
    expect(text).toContain('{"type":"error","errorText":"The answer broke off.');
    expect((await stored())[1]).toMatchObject({ content: "You said: ", status: "incomplete" });
  });

  it("answers without streaming with the partial text when the provider fails during the answer", async () => {
    t.fake.next({ resetAfter: 2, perToken: 20 });
    const response = await chat({ content: "one two three" });
    expect(response.status).toBe(200);
    const { message } = (await response.json()) as { message: object };
    expect(message).toMatchObject({ content: "You said: ", status: "incomplete" });
    expect(message).not.toHaveProperty("finish_reason");
  });

  it("completes and stores the answer when the client disconnects", async () => {
    t.fake.next({ perToken: 40 });
    const abort = new AbortController();
    const response = await fetch(`${api.url}/v1/sessions/${id}/chat`, {
      method: "POST",
      headers: { authorization: "Bearer ann" },
      body: JSON.stringify({ content: "one two three four", stream: true }),
      signal: abort.signal,
    });
    await response.body!.getReader().read();
    abort.abort();
    await expect.poll(async () => (await stored())[1]?.content).toBe("You said: one two three four");
  });

  it("is one turn however often it is repeated, also while the first runs", async () => {
    t.fake.always({ perToken: 40 });
    const key = { "idempotency-key": `key-${id}` };
    const body = { content: "one two three", stream: true };
    const replies = await Promise.all([chat(body, key), chat(body, key), chat({ ...body }, key)]);
    const texts = await Promise.all(replies.map((reply) => reply.text()));
    const later = await (await chat(body, key)).text();
    const said = (text: string) => [...text.matchAll(/"delta":"([^"]*)"/g)].map(([, delta]) => delta).join("");
    for (const text of [...texts, later]) expect(said(text)).toBe("You said: one two three");
    expect(t.fake.requests).toHaveLength(1);
    expect(await stored()).toHaveLength(2);
    expect((await chat({ content: "other" }, key)).status).toBe(422);
  });

  it("may be repeated after it has failed, as the same turn", async () => {
    t.fake.always({ status: 429, headers: { "retry-after-ms": "10" } });
    const key = { "idempotency-key": `key-${id}` };
    expect((await chat({ content: "hello" }, key)).status).toBe(503);
    t.fake.always({});
    const response = await chat({ content: "hello" }, key);
    expect(response.status).toBe(200);
    expect((await stored()).map(({ content }) => content)).toEqual(["hello", "You said: hello"]);
  });

  it("repeats its refusal of a request that the provider has rejected", async () => {
    t.fake.next({ status: 400 });
    const key = { "idempotency-key": `key-${id}` };
    const first = await chat({ content: "hello", stream: true }, key);
    const again = await chat({ content: "hello", stream: true }, key);
    expect([first.status, again.status]).toEqual([400, 400]);
    expect([first, again].map(({ headers }) => headers.get("idempotency-replayed"))).toEqual([null, "true"]);
    const [{ request_id: _one, ...problem }, { request_id: _two, ...repeated }] = [
      (await first.json()) as { request_id: string },
      (await again.json()) as { request_id: string },
    ];
    expect(repeated).toEqual(problem);
    expect(t.fake.requests.length).toBeLessThanOrEqual(1);
    expect((await chat({ content: "other" }, key)).status).toBe(422);
  });

  it.each([
    ["not valid", { content: 7 }],
    ["too long", { content: "word ".repeat(9000) }],
    ["for a model that is not there", { content: "hello", model: "nobody" }],
  ])("uses no key up when it is %s, and changes nothing", async (_what, body) => {
    const key = { "idempotency-key": `key-${id}` };
    expect((await chat(body, key)).status).toBeOneOf([400, 413]);
    expect(await stored()).toEqual([]);
    expect((await chat({ content: "hello" }, key)).status).toBe(200);
  });

  it.each([
    [{}, "content"],
    [{ content: "" }, "content"],
    [{ content: "x", temperature: 3 }, "temperature"],
    [{ content: "x", max_output_tokens: 0 }, "max_output_tokens"],
    [{ content: "x", other: 1 }, "other"],
  ])("refuses %j, naming the field", async (body, path) => {
    const response = await chat(body);
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({ code: "validation_failed", errors: [{ path }] });
    expect(await stored()).toEqual([]);
  });

  it("answers 429 with the limits of the plan", async () => {
    const tiny = { authorization: "Bearer ann/tiny" };
    await chat({ content: "one" }, tiny);
    const refused = await chat({ content: "two", stream: true }, tiny);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(refused.headers.get("ratelimit-policy")).toBe('"requests";q=1;w=60');
    expect(refused.headers.get("ratelimit")).toMatch(/^"requests";r=0;t=\d+$/);
  });

  it("creates a new session, also when another user has a session with this id", async () => {
    const others = await post(`/v1/sessions/${id}/chat`, { content: "mine" }, { authorization: "Bearer bob" });
    expect(others.status).toBe(200);
    expect(await stored()).toEqual([]);
    expect((await post(`/v1/sessions/${id}-new/chat`, { content: "hello" })).status).toBe(200);
    expect((await stored(`${id}-new`)).map(({ content }) => content)).toEqual(["hello", "You said: hello"]);
  });

  it("answers 503 when no model answers", async () => {
    t.fake.always({ status: 429, headers: { "retry-after-ms": "10" } });
    const down = await chat({ content: "x", stream: true });
    expect(down.status).toBe(503);
    expect(down.headers.get("retry-after")).toBe("1");
    t.fake.always({ status: 409, headers: { "retry-after": "0" } });
    expect((await chat({ content: "x" })).headers.get("retry-after")).toBe("1");
  });

  it("answers turns after one that the provider refuses, when its circuit was open before", async () => {
    const provider = await startFakeOpenAI();
    let now = Date.now();
    const model = () =>
      createInstance(t.world.table, {
        url: provider.url,
        threshold: 1,
        maxAttempts: 1,
        openFor: 15_000,
        clock: () => now,
      });
    const base = createChatWorld(t.world, provider.url).deps;
    const ask = async () => {
      const server = await startChatServer(t.world, { ...base, model: model() });
      const response = await fetch(`${server.url}/v1/sessions/${id}/chat`, {
        method: "POST",
        headers: { authorization: "Bearer ann" },
        body: JSON.stringify({ content: "hello" }),
      });
      await server.close();
      return response.status;
    };
    provider.next({ status: 500 });
    expect([await ask(), await ask()]).toEqual([503, 503]);
    now += 15_000;
    provider.next({ status: 400 });
    const answers: number[] = [];
    for (let n = 0; n < 9; n++) answers.push(await ask());
    expect(answers).toEqual([400, ...Array(8).fill(200)]);
    await provider.close();
  });

  it.each([
    ["retry-after", "99999"],
    ["retry-after", "1e999"],
    ["retry-after-ms", "99999999"],
  ])("asks the client to come back within a minute, though the provider's %s is %s", async (name, value) => {
    t.fake.always({ status: 429, headers: { [name]: value } });
    const response = await chat({ content: "x" });
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "60"]);
  });
});

describe("POST /v1/chat/completions", () => {
  const client = (token = "ann") => new OpenAI({ baseURL: `${api.url}/v1`, apiKey: token, maxRetries: 0 });
  const question = (content: string) => ({ model: "model-a", messages: [{ role: "user" as const, content }] });

  it("answers the OpenAI client without streaming, and keeps the conversation", async () => {
    const first = await client().chat.completions.create({
      ...question("my dog is Rex"),
      metadata: { session_id: id },
    });
    expect(first).toMatchObject({
      object: "chat.completion",
      model: "model-a",
      choices: [
        { index: 0, finish_reason: "stop", message: { role: "assistant", content: "You said: my dog is Rex" } },
      ],
      usage: { prompt_tokens: 14, completion_tokens: 6, total_tokens: 20 },
      session_id: id,
    });
    await client().chat.completions.create(question("and?"), { headers: { "x-session-id": id } });
    expect(t.fake.requests[1]!.messages.map(({ content }) => content)).toEqual([
      "Be brief.",
      "my dog is Rex",
      "You said: my dog is Rex",
      "and?",
    ]);
    expect(await stored()).toHaveLength(4);
  });

  it("streams to it, with usage when asked", async () => {
    const stream = await client().chat.completions.create({
      ...question("one two"),
      stream: true,
      stream_options: { include_usage: true },
      metadata: { session_id: id },
    });
    let text = "";
    let usage: OpenAI.CompletionUsage | null | undefined;
    const reasons: unknown[] = [];
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      if (chunk.choices[0]?.finish_reason) reasons.push(chunk.choices[0].finish_reason);
      usage = chunk.usage ?? usage;
    }
    expect(text).toBe("You said: one two");
    expect(reasons).toEqual(["stop"]);
    expect(usage).toMatchObject({ prompt_tokens: 12, completion_tokens: 4, total_tokens: 16 });
  });

  it("creates a session with or without a given id, with the history of the request", async () => {
    const messages = [
      { role: "system" as const, content: "Speak Latin." },
      { role: "user" as const, content: "salve" },
      { role: "assistant" as const, content: "ave" },
      { role: "user" as const, content: "quid agis?" },
    ];
    await client().chat.completions.create({ model: "model-a", messages, metadata: { session_id: `${id}-new` } });
    expect((await stored(`${id}-new`)).map(({ content }) => content)).toEqual([
      "salve",
      "ave",
      "quid agis?",
      "You said: quid agis?",
    ]);
    expect(t.fake.requests[0]!.messages.map(({ content }) => content)).toEqual([
      "Speak Latin.",
      "salve",
      "ave",
      "quid agis?",
    ]);
    // A client that sends all it knows again does not store it again.
    const more = [
      ...messages,
      { role: "assistant" as const, content: "bene" },
      { role: "user" as const, content: "vale" },
    ];
    await client().chat.completions.create({ model: "model-a", messages: more, metadata: { session_id: `${id}-new` } });
    expect(await stored(`${id}-new`)).toHaveLength(6);

    const { response } = await client().chat.completions.create(question("hello")).withResponse();
    const unnamed = response.headers.get("x-session-id")!;
    expect(await stored(unnamed)).toHaveLength(2);
  });

  it("does not store messages without content", async () => {
    const messages = [
      { role: "user" as const, content: "salve" },
      { role: "assistant" as const, content: null },
      { role: "user" as const, content: "" },
      { role: "user" as const, content: "quid agis?" },
    ];
    await client().chat.completions.create({ model: "model-a", messages, metadata: { session_id: id } });
    expect((await stored()).map(({ content }) => content)).toEqual(["salve", "quid agis?", "You said: quid agis?"]);
  });

  it("sends it an error in the stream when the provider fails during the answer", async () => {
    t.fake.next({ resetAfter: 2, perToken: 20 });
    const stream = await client().chat.completions.create({
      ...question("one two three"),
      stream: true,
      metadata: { session_id: id },
    });
    const read = async () => {
      for await (const _ of stream);
    };
    await expect(read()).rejects.toBeInstanceOf(OpenAI.APIError);
    expect((await stored())[1]).toMatchObject({ content: "You said: ", status: "incomplete" });
  });

  it("gives the client its own kinds of errors", async () => {
    const create = (more: object, token?: string) =>
      client(token).chat.completions.create({ ...question("x"), metadata: { session_id: id }, ...more });
    await expect(create({ n: 2 })).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    await expect(create({ messages: [] })).rejects.toMatchObject({ status: 400 });
    await create({}, "ann/tiny").catch(() => undefined);
    await expect(create({}, "ann/tiny")).rejects.toBeInstanceOf(OpenAI.RateLimitError);
    t.fake.always({ status: 429, headers: { "retry-after-ms": "10" } });
    await expect(create({ stream: true })).rejects.toBeInstanceOf(OpenAI.InternalServerError);
  });
});

describe("GET /v1/usage", () => {
  it("shows today's usage, its cost, and the remaining quota", async () => {
    await t.world.create("usage", "u");
    await post("/v1/sessions/u/chat", { content: "good morning" }, { authorization: "Bearer usage" });
    const response = await fetch(`${api.url}/v1/usage`, { headers: { authorization: "Bearer usage/tiny" } });
    expect(await response.json()).toEqual({
      requests: 1,
      input_tokens: 12,
      output_tokens: 4,
      cost_usd: 0.00002,
      limits: { plan: "tiny", requests_per_minute: 1, tokens_per_day: null, tokens_left: null },
      resets_at: "2026-11-22T00:00:00.000Z",
    });
  });
});
