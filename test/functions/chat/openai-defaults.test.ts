import OpenAI7, { type APIError } from "openai";
import OpenAI6 from "openai-6";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Listening } from "../../../infra/local/listen.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { createChatWorld } from "../../support/chat-world.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { callDeltas, type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";
import { startChatServer } from "../../support/start-chat-server.ts";
import { createWorld, type World } from "../../support/world.ts";

let engines: Engines;
let fake: FakeOpenAI;
let world: World;
let api: Listening;
let count = 0;
let id = "";
const logged: Record<string, unknown>[] = [];

beforeAll(async () => {
  for (const level of ["error", "warn"] as const) {
    vi.spyOn(console, level).mockImplementation((line) => void logged.push(JSON.parse(String(line))));
  }
  engines = await startEngines();
  world = createWorld(engines);
});
// A provider of its own for each test: breakers know providers by their host.
beforeEach(async () => {
  fake = await startFakeOpenAI();
  api = await startChatServer(world, createChatWorld(world, fake.url).deps);
  logged.length = 0;
  id = `session-${count++}`;
  return async () => {
    await api.close();
    await fake.close();
  };
});
afterAll(() => engines.close());

const stored = async (session = id) =>
  (await listMessages(world.stores, { user: "ann", id: session }, { order: "asc", limit: 100 })).messages;

describe.each([
  ["openai 6", OpenAI6 as unknown as typeof OpenAI7],
  ["openai 7", OpenAI7],
])("a client with the package %s", (_package, OpenAI) => {
  const client = (maxRetries = 0) => new OpenAI({ baseURL: `${api.url}/v1`, apiKey: "ann", maxRetries });
  const body = (content = "hello", more: object = {}) => ({
    model: "model-a",
    messages: [{ role: "user" as const, content }],
    metadata: { session_id: id },
    ...more,
  });
  const create = (content?: string, more?: object) =>
    client().chat.completions.create(body(content, more)) as Promise<OpenAI7.ChatCompletion>;
  const stream = async (content?: string, more?: object) => {
    const chunks: OpenAI7.ChatCompletionChunk[] = [];
    for await (const chunk of await client().chat.completions.create({ ...body(content, more), stream: true })) {
      chunks.push(chunk);
    }
    return chunks;
  };
  const failure = (work: Promise<unknown>): Promise<APIError> =>
    work.then(
      () => Promise.reject(new Error("it did not fail")),
      (error) => error,
    );

  it("can send every parameter of the provider, which gets it unchanged", async () => {
    const parameters = {
      stop: ["\n"],
      top_p: 0.5,
      temperature: 0.2,
      seed: 7,
      presence_penalty: 0.1,
      frequency_penalty: -0.1,
      logprobs: true,
      top_logprobs: 2,
      logit_bias: { "50256": -100 },
      reasoning_effort: "low",
      response_format: { type: "json_object" },
      user: "u-1",
      parallel_tool_calls: false,
      something_new: { of: ["next", "year"] },
    };
    await create("hello", { ...parameters, n: 1, max_completion_tokens: 50, service_tier: null });
    const { at: _at, isCut: _isCut, sent: _sent, authorization: _authorization, ...sent } = fake.requests[0]!;
    expect(sent).toEqual({
      ...parameters,
      model: "model-a",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "hello" },
      ],
      max_completion_tokens: 50,
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it.each([
    ["n", { n: 2 }],
    ["modalities", { modalities: ["text", "audio"] }],
    ["audio", { audio: { voice: "alloy", format: "wav" } }],
    ["functions", { functions: [{ name: "f" }] }],
    ["function_call", { function_call: "auto" }],
    ["tools.0.type", { tools: [{ type: "custom", custom: { name: "shell" } }] }],
  ])("is told that %s is not supported, and nothing is stored", async (param, more) => {
    const error = await failure(create("hello", more));
    expect(error).toMatchObject({ status: 400, param, type: "invalid_request_error", code: "validation_failed" });
    expect(error.message).toContain(param);
    expect(fake.requests).toEqual([]);
    await expect(stored()).rejects.toMatchObject({ code: "not_found" });
  });

  it("gets the JSON of a structured output, with and without streaming", async () => {
    const response_format = { type: "json_schema", json_schema: { name: "city", schema: { type: "object" } } };
    fake.always({ deltas: ['{"na', 'me": "Rom', 'e"}'] });
    const { choices } = await create("which?", { response_format });
    expect(JSON.parse(choices[0]!.message.content!)).toEqual({ name: "Rome" });
    const chunks = await stream("which?", { response_format });
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe('{"name": "Rome"}');
    expect(fake.requests[1]).toMatchObject({ response_format });
  });

  it("gets a refusal as a refusal, and its text is in the session", async () => {
    fake.always({ pieces: [{ refusal: "I can" }, { refusal: "not do that." }] });
    const { choices } = await create("do it");
    expect(choices[0]).toMatchObject({
      finish_reason: "stop",
      message: { content: null, refusal: "I cannot do that." },
    });
    world.advance(1000);
    const chunks = await stream("do it");
    expect(chunks.map(({ choices }) => choices[0]?.delta.refusal ?? "").join("")).toBe("I cannot do that.");
    expect((await stored())[1]).toMatchObject({ content: "I cannot do that.", status: "complete" });
  });

  it("gets the probabilities of the tokens", async () => {
    const logprobs = (delta: unknown) => ({
      content: [{ token: (delta as { content: string }).content, logprob: -1 }],
    });
    fake.always({ deltas: ["one ", "two"], logprobs });
    const all = [
      { token: "one ", logprob: -1 },
      { token: "two", logprob: -1 },
    ];
    expect((await create("count", { logprobs: true })).choices[0]!.logprobs).toMatchObject({ content: all });
    const chunks = await stream("count", { logprobs: true });
    expect(chunks.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? [])).toEqual(all);
  });

  it("gets the reasoning of a model that shows it, and the reasoning is stored with the answer", async () => {
    fake.always({ pieces: [{ reasoning_content: "hm, " }, { reasoning: "well" }, { content: "Yes." }] });
    const { choices } = await create("really?");
    expect(choices[0]!.message).toMatchObject({ content: "Yes.", reasoning_content: "hm, well" });
    const [, answer] = await stored();
    expect(answer).toMatchObject({
      content: "Yes.",
      parts: [
        { type: "reasoning", text: "hm, well" },
        { type: "text", text: "Yes." },
      ],
    });
  });

  it.each(["stop", "length", "content_filter"])("gets the provider's finish_reason %s", async (finish) => {
    fake.always({ finish });
    expect((await create()).choices[0]!.finish_reason).toBe(finish);
    expect((await stream()).map(({ choices }) => choices[0]?.finish_reason).filter(Boolean)).toEqual([finish]);
  });

  it.each([
    ["is reset", { resetAfter: 2, perToken: 20 }],
    ["sends a malformed chunk", { malformedAfter: 2 }],
    ["sends an error event", { errorAfter: 2 }],
    ["ends without a reason", { endAfter: 2 }],
  ])("gets an error, not a short answer, when the provider %s in the middle", async (_what, behaviour) => {
    fake.always(behaviour);
    expect(await failure(create("one two three"))).toMatchObject({ status: 502, type: "server_error" });
    world.advance(1000);
    const error = await failure(stream("one two three"));
    expect(error).toBeInstanceOf(OpenAI.APIError);
    expect(error.message).toContain("broke off");
    expect((await stored()).map(({ content, status }) => [content, status])).toEqual([
      ["one two three", undefined],
      ["You said: ", "incomplete"],
      ["one two three", undefined],
      ["You said: ", "incomplete"],
    ]);
  });

  it("gets an error for a model that is not offered, or that the provider does not have", async () => {
    const expected = { status: 404, code: "model_not_found", param: "model", type: "invalid_request_error" };
    expect(await failure(create("hello", { model: "nobody" }))).toMatchObject(expected);
    expect(fake.requests).toEqual([]);
    fake.always({ status: 404, error: { error: { message: "The model `gpt-5-mni` does not exist", code: null } } });
    expect(await failure(create("hello", { model: "gpt-5-mni" }))).toMatchObject(expected);
    expect(fake.requests).toHaveLength(1);
  });

  it.each([
    ["rejects the deployment's key", { status: 401, error: { error: { message: "Incorrect API key sk-1" } } }],
    ["has no such route", { status: 404, error: "<html>Not Found</html>" }],
    ["wants to be paid first", { status: 429, error: { error: { message: "no", code: "insufficient_quota" } } }],
  ])("gets 502 without Retry-After when the provider %s", async (_what, behaviour) => {
    fake.always(behaviour);
    const error = await failure(create());
    expect(error).toMatchObject({ status: 502, type: "server_error" });
    expect(error.headers!.get("retry-after")).toBeNull();
    expect(error.message).not.toContain("sk-1");
    expect(fake.requests).toHaveLength(1);
  });

  it("gets 503 with Retry-After when the provider is busy or down", async () => {
    fake.always({ status: 500 });
    const error = await failure(create());
    expect(error).toMatchObject({ status: 503, code: "unavailable" });
    expect(error.headers!.get("retry-after")).toBe("1");
  });

  it.each([
    [
      "OpenAI",
      { error: { message: "Invalid schema: 'type' is missing", param: "response_format", code: "bad_schema" } },
    ],
    [
      "vLLM",
      { object: "error", message: "Invalid schema: 'type' is missing", param: "response_format", code: "bad_schema" },
    ],
  ])("is told why the provider rejects a request, as %s says it", async (_who, error) => {
    fake.always({ status: 400, error });
    const got = await failure(create());
    expect(got).toMatchObject({ status: 400, param: "response_format", code: "bad_schema" });
    expect(got.message).toContain("Invalid schema: 'type' is missing");
  });

  it("causes a log line with the provider's status, code and message, without the content", async () => {
    const secret = "my dog is called Rex and he bites";
    const message = `Invalid prompt: '${secret.slice(0, 25)}' in messages[1].content, of "hush"`;
    fake.always({ status: 400, error: { error: { message, code: "invalid_prompt" } } });
    await failure(create(secret));
    fake.always({ errorAfter: 1, error: { message: `stopped at ${secret}`, code: "overloaded" } });
    await failure(create(secret));
    expect(logged.filter(({ level }) => level === "warn")).toMatchObject([
      {
        provider: new URL(fake.url).host,
        model: "model-a",
        status: 400,
        provider_code: "invalid_prompt",
        provider_message: `Invalid prompt: '…' in messages[1].content, of "hush"`,
      },
      { model: "model-a", provider_code: "overloaded", provider_message: "stopped at …" },
    ]);
    expect(JSON.stringify(logged)).not.toContain("Rex");
  });

  it("causes no log line with a model that the deployment does not know, because the name may be any text", async () => {
    const model = "my name is Ann";
    fake.always({ status: 404, error: { error: { message: `The model '${model}' does not exist`, code: "none" } } });
    await failure(client().chat.completions.create({ ...body(), model }));
    const provider_message = "The model '…' does not exist";
    expect(logged.filter(({ level }) => level === "warn")).toMatchObject([{ model: "unknown", provider_message }]);
    expect(JSON.stringify(logged)).not.toContain("Ann");
  });

  it("keeps text parts apart", async () => {
    const parts = [
      { type: "text" as const, text: "The first." },
      { type: "text" as const, text: "The second." },
    ];
    await client().chat.completions.create({ ...body(), messages: [{ role: "user", content: parts }] });
    expect(fake.requests[0]!.messages.at(-1)!.content).toBe("The first.\n\nThe second.");
    expect((await stored())[0]!.content).toBe("The first.\n\nThe second.");
  });

  const tools = ["weather", "time"].map((name) => ({
    type: "function" as const,
    function: { name, parameters: { type: "object" } },
  }));
  const calls = [
    { id: "call-1", name: "weather", input: '{"city":"Rome"}' },
    { id: "call-2", name: "time", input: '{"zone":"CET"}' },
  ];
  const toolCalls = calls.map(({ id, name, input }) => ({
    id,
    type: "function" as const,
    function: { name, arguments: input },
  }));
  const result = (tool_call_id: string, content: string) => ({ role: "tool" as const, tool_call_id, content });

  it("runs its tools in parallel and in several rounds", async () => {
    fake.next({ pieces: callDeltas(calls, 3), finish: "tool_calls" });
    fake.next({ pieces: callDeltas([{ id: "call-3", name: "weather", input: "{}" }]), finish: "tool_calls" });
    fake.next({ text: "It is warm." });
    const run = client().chat.completions.runTools({
      ...body("How is Rome?"),
      stream: true,
      tools: tools.map(({ type, function: { name, parameters } }) => ({
        type,
        function: {
          name,
          description: name,
          parameters,
          // The SDK sends this error to the model as the result.
          parse: (text: string) => {
            world.advance(1000);
            if (text === "{}") throw new Error("no city");
          },
          function: () => `${name} is fine`,
        },
      })) as never,
    });
    expect(await run.finalContent()).toBe("It is warm.");
    const [, second, third] = fake.requests;
    expect(fake.requests[0]!.tools).toMatchObject(tools);
    expect(second!.messages.slice(1)).toEqual([
      { role: "user", content: "How is Rome?" },
      { role: "assistant", content: null, tool_calls: toolCalls },
      result("call-1", "weather is fine"),
      result("call-2", "time is fine"),
    ]);
    expect(third!.messages.slice(0, 5)).toEqual(second!.messages);
    expect(third!.messages.at(-1)).toMatchObject({ role: "tool", tool_call_id: "call-3", content: "no city" });
    const messages = await stored();
    expect(messages.map(({ role }) => role).join(" ")).toBe("user assistant tool tool assistant tool assistant");
    expect(messages[1]).toMatchObject({
      status: "complete",
      finish_reason: "tool_calls",
      parts: [
        { type: "tool_call", tool_call_id: "call-1", name: "weather", input: { city: "Rome" } },
        { type: "tool_call", tool_call_id: "call-2", name: "time", input: { zone: "CET" } },
      ],
    });
    expect(messages[2]).toMatchObject({
      parts: [{ type: "tool_result", tool_call_id: "call-1", output: "weather is fine" }],
    });
  });

  it("gets its tool calls completely, and an error for a result without a call or a second result", async () => {
    fake.next({ pieces: callDeltas(calls), finish: "tool_calls" });
    const first = await create("How is Rome?", { tools, tool_choice: "required" });
    expect(fake.requests[0]).toMatchObject({ tools, tool_choice: "required" });
    expect(first.choices[0]).toMatchObject({
      finish_reason: "tool_calls",
      message: { content: null, tool_calls: toolCalls },
    });
    world.advance(1000);
    const answer = (...messages: object[]) => create("", { messages });
    const path = "messages.0.tool_call_id";
    expect(await failure(answer(result("call-9", "?")))).toMatchObject({ status: 400, param: path });
    expect(await failure(answer({ role: "tool", content: "?" }))).toMatchObject({ status: 400, param: path });
    expect(await stored()).toHaveLength(2);
    fake.next({ text: "It is warm." });
    await answer(result("call-1", "warm"), result("call-2", "late"));
    world.advance(1000);
    expect(await failure(answer(result("call-1", "cold")))).toMatchObject({ status: 400, param: path });
    expect(await stored()).toHaveLength(5);
  });

  it("may send results again when the answer failed, until there is one", async () => {
    fake.next({ pieces: callDeltas(calls), finish: "tool_calls" });
    await create("How is Rome?", { tools });
    const answer = () => {
      world.advance(1000);
      return create("", { messages: [result("call-1", "warm"), result("call-2", "late")] });
    };
    fake.next({ status: 400 });
    expect(await failure(answer())).toMatchObject({ status: 400, code: "bad_request" });
    const { choices } = await answer();
    expect(choices[0]!.message.content).toBe("You said: late");
    expect((await stored()).map(({ role }) => role)).toEqual(["user", "assistant", "tool", "tool", "assistant"]);
    expect(await failure(answer())).toMatchObject({ status: 400, param: "messages.0.tool_call_id" });
    expect(await stored()).toHaveLength(5);
  });

  it("sees the names of called tools as the request defines them, and other names as OpenAI accepts them", async () => {
    const odd = ["files.read", "my tool/x"].map((name, n) => ({ id: `odd-${n}`, name, input: "{}" }));
    const definition = { type: "function", function: { name: "files.read", parameters: { type: "object" } } };
    fake.next({ pieces: callDeltas(odd), finish: "tool_calls" });
    await create("Read it.", { tools: [definition] });
    world.advance(1000);
    fake.next({ text: "Done." });
    await create("", { messages: [result("odd-0", "1"), result("odd-1", "2")], tools: [definition] });
    const called = fake.requests[1]!.messages.flatMap(({ tool_calls = [] }) => tool_calls);
    expect(called.map((call) => (call as { function: { name: string } }).function.name)).toEqual([
      "files.read",
      "my_tool_x",
    ]);
  });

  it("may call more tools at once than the model sees messages", async () => {
    const many = Array.from({ length: 40 }, (_, n) => ({ id: `call-${n}`, name: "weather", input: "{}" }));
    fake.next({ pieces: callDeltas(many, 1), finish: "tool_calls" });
    const first = await create("How is every town?", { tools });
    world.advance(1000);
    const messages = [
      { role: "user", content: "How is every town?" },
      first.choices[0]!.message,
      ...many.map(({ id }) => result(id, "warm")),
    ];
    fake.next({ text: "All are warm." });
    const { choices } = await create("", { messages });
    expect(choices[0]!.message.content).toBe("All are warm.");
    const said = fake.requests[1]!.messages.map(({ role }) => role);
    expect(said).toEqual(["system", "user", "assistant", ...many.map(() => "tool")]);
  });

  it("may send a history with many rounds of tools to a new session", async () => {
    const rounds = Array.from({ length: 150 }, (_, n) => [
      { role: "assistant", content: null, tool_calls: [{ ...toolCalls[0]!, id: `call-${n}` }] },
      result(`call-${n}`, "warm"),
    ]);
    await create("", { messages: [{ role: "user", content: "Watch the weather." }, ...rounds.flat()] });
    const { messages } = await listMessages(world.stores, { user: "ann", id }, { order: "asc", limit: 1000 });
    expect(messages).toHaveLength(302);
    expect(messages.at(-2)).toMatchObject({ role: "tool", parts: [{ tool_call_id: "call-149", output: "warm" }] });
  });

  it.each([
    ["messages.1.tool_calls", (text: string) => ({ input: JSON.stringify({ text }), output: "fine" })],
    ["messages.2.content", (text: string) => ({ input: "{}", output: text })],
  ])("gets an error that %s has more than 300 KB, and nothing is stored", async (param, of) => {
    // Each quotation mark is two bytes of JSON.
    const { input, output } = of('"'.repeat(160_000));
    const call = { ...toolCalls[0]!, function: { name: "weather", arguments: input } };
    const messages = [
      { role: "user", content: "How is Rome?" },
      { role: "assistant", content: null, tool_calls: [call] },
      result(call.id, output),
    ];
    for (const more of [[], [{ role: "user", content: "And now?" }]]) {
      const error = await failure(create("", { messages: [...messages, ...more] }));
      expect(error).toMatchObject({ status: 400, param, message: expect.stringContaining("307200 bytes of JSON") });
    }
    await expect(stored()).rejects.toMatchObject({ code: "not_found" });
  });

  it("lists the models", async () => {
    const models = [];
    for await (const model of client().models.list()) models.push(model);
    expect(models).toEqual([
      { id: "model-a", object: "model", created: 0, owned_by: "provider.example" },
      { id: "model-b", object: "model", created: 1_700_000_000, owned_by: "provider" },
    ]);
  });
});
