import { DefaultChatTransport, readUIMessageStream, type UIMessage } from "ai";
import OpenAI from "openai";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Listening } from "../../../infra/local/listen.ts";
import { startTurn } from "../../../shared/chat/start-turn.ts";
import { loadTokenizer } from "../../../shared/llm/tokenizer.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { toMessage } from "../../../shared/session/message.ts";
import { MAX_CONTENT_BYTES } from "../../../shared/session/parts.ts";
import { messageSchema } from "../../../shared/session/schema.ts";
import {
  createChatWorld,
  createInstance,
  type ModelOptions,
  SETTINGS,
  textOf,
  turnRequest,
} from "../../support/chat-world.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";
import { startChatServer } from "../../support/start-chat-server.ts";
import { createWorld, type World } from "../../support/world.ts";

/** Tokens that a turn reserves at most: of the prompt and of the answer. */
const RESERVED = SETTINGS.maxContextTokens + SETTINGS.maxOutputTokens;

let engines: Engines;
let fake: FakeOpenAI;
let world: World;
let chat: ReturnType<typeof createChatWorld>;
let api: Listening;
let count = 0;
let user = "";

beforeAll(async () => {
  [engines, fake] = await Promise.all([startEngines(), startFakeOpenAI()]);
  world = createWorld(engines);
  chat = createChatWorld(world, fake.url);
  api = await startChatServer(world, chat.deps);
});
beforeEach(async () => {
  fake.reset();
  user = `user-${count++}`;
  await world.create(user, "s");
});
afterAll(async () => {
  await api.close();
  await Promise.all([engines.close(), fake.close()]);
});

/** What a client learns of an answer. */
interface Seen {
  text: string;
  finish: string | undefined;
  outputTokens: number | undefined;
}

/** The four ways to ask, each read by the client that it is made for. */
const ways: [string, (content: string) => Promise<Seen>][] = [
  ["the AI SDK's stream", askAsAiSdk],
  ["a whole answer", askWhole],
  ["OpenAI's stream", askAsOpenAIStream],
  ["OpenAI's whole answer", askAsOpenAI],
];

async function askAsAiSdk(content: string): Promise<Seen> {
  const transport = new DefaultChatTransport<UIMessage>({
    api: `${api.url}/v1/sessions/s/chat`,
    headers: { authorization: `Bearer ${user}` },
    prepareSendMessagesRequest: () => ({ body: { content, stream: true } }),
  });
  const stream = await transport.sendMessages({
    trigger: "submit-message",
    chatId: "s",
    messageId: undefined,
    messages: [],
    abortSignal: undefined,
  });
  let finish: string | undefined;
  const watched = stream.pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        if (chunk.type === "finish") finish = chunk.finishReason;
        controller.enqueue(chunk);
      },
    }),
  );
  let last: UIMessage | undefined;
  for await (const message of readUIMessageStream({ stream: watched })) last = message;
  const text = last?.parts.map((part) => (part.type === "text" ? part.text : "")).join("") ?? "";
  const metadata = last?.metadata as { usage: { output_tokens: number } };
  return { text, finish, outputTokens: metadata.usage.output_tokens };
}

async function askWhole(content: string): Promise<Seen> {
  const response = await fetch(`${api.url}/v1/sessions/s/chat`, {
    method: "POST",
    headers: { authorization: `Bearer ${user}` },
    body: JSON.stringify({ content }),
  });
  expect(response.status).toBe(200);
  const { message } = (await response.json()) as { message: unknown };
  const { content: text, finish_reason, usage } = messageSchema.parse(message);
  return { text, finish: finish_reason ?? "stop", outputTokens: usage?.output_tokens };
}

const client = () => new OpenAI({ baseURL: `${api.url}/v1`, apiKey: user, maxRetries: 0 });
const completion = (content: string) => ({
  model: "model-a",
  messages: [{ role: "user" as const, content }],
  metadata: { session_id: "s" },
});

async function askAsOpenAIStream(content: string): Promise<Seen> {
  const stream = await client().chat.completions.create({
    ...completion(content),
    stream: true,
    stream_options: { include_usage: true },
  });
  const seen: Seen = { text: "", finish: undefined, outputTokens: undefined };
  for await (const { choices, usage } of stream) {
    seen.text += choices[0]?.delta.content ?? "";
    seen.finish = choices[0]?.finish_reason ?? seen.finish;
    seen.outputTokens = usage?.completion_tokens ?? seen.outputTokens;
  }
  return seen;
}

async function askAsOpenAI(content: string): Promise<Seen> {
  const { choices, usage } = await client().chat.completions.create(completion(content));
  return {
    text: choices[0]!.message.content!,
    finish: choices[0]!.finish_reason,
    outputTokens: usage?.completion_tokens,
  };
}

/** The answer as it is stored, checked against the schema that clients are promised. */
async function storedAnswer() {
  const { messages } = await listMessages(world.stores, { user, id: "s" }, { order: "asc", limit: 100 });
  expect(messages).toHaveLength(2);
  return messageSchema.parse(toMessage(messages[1]!, "s"));
}

const booked = () => chat.deps.limits.usage(user, world.stores.clock());

describe.each(ways)("asked for %s, a provider", (_way, ask) => {
  it.each([
    ["words", { prompt_tokens: 12, completion_tokens: "ten" }],
    ["null", { prompt_tokens: null, completion_tokens: null }],
    ["a negative number", { prompt_tokens: 12, completion_tokens: -5 }],
    ["a negative number of the prompt's tokens", { prompt_tokens: -5, completion_tokens: 5 }],
    ["more than any number of tokens", { prompt_tokens: 12, completion_tokens: 1e30 }],
    ["a fraction", { prompt_tokens: 12, completion_tokens: 1.5 }],
    ["no object", "ten"],
    ["nothing", {}],
  ])("that counts %s has its tokens estimated, and the answer is kept", async (_what, usage) => {
    fake.next({ usage });
    expect(await ask("good morning")).toMatchObject({ text: "You said: good morning", finish: "stop" });
    const { content, status, usage: counted } = await storedAnswer();
    expect([content, status]).toEqual(["You said: good morning", "complete"]);
    expect(counted!.input_tokens).toBeGreaterThan(5);
    expect(counted!.output_tokens).toBeGreaterThanOrEqual(4);
    expect(counted!.output_tokens).toBeLessThan(20);
    expect(await booked()).toMatchObject({
      ...counted,
      spent: counted!.input_tokens + counted!.output_tokens,
    });
    expect(chat.metrics.findLast(({ kind }) => kind === "llm.call")!.measures).toMatchObject(counted!);
  });

  it("that reports more tokens than were reserved has only the reserved tokens booked", async () => {
    fake.next({ usage: { prompt_tokens: 1000, completion_tokens: 107_000_000 } });
    await ask("good morning");
    expect((await storedAnswer()).usage).toMatchObject({ input_tokens: 1000, output_tokens: RESERVED - 1000 });
    expect(await booked()).toMatchObject({ spent: RESERVED, cost_usd: (1000 + 2 * (RESERVED - 1000)) / 1e6 });
  });

  it("that sends a lone surrogate has it replaced", async () => {
    fake.next({ deltas: ["a\ud83d", "b\ude00", "c\ud83d"] });
    expect((await ask("hi")).text).toBe("a\ufffdb\ufffdc\ufffd");
    expect(await storedAnswer()).toMatchObject({ content: "a\ufffdb\ufffdc\ufffd", status: "complete" });
  });

  it("that splits a surrogate pair between two deltas has it joined", async () => {
    fake.next({ deltas: ["a\ud83d", "\ude00b"] });
    expect((await ask("hi")).text).toBe("a\u{1f600}b");
    expect((await storedAnswer()).content).toBe("a\u{1f600}b");
  });

  it("that sends content that is not a string has this content left out", async () => {
    fake.next({ deltas: ["one ", { type: "text" }, 7, ["x"], null, true, "two"] });
    expect((await ask("hi")).text).toBe("one two");
    expect(await storedAnswer()).toMatchObject({ content: "one two", status: "complete" });
  });

  it.each([
    ["nothing", [""]],
    ["no string", [{ text: "hi" }]],
  ])("that says %s has given an incomplete answer", async (_what, deltas) => {
    fake.next({ deltas });
    expect(await ask("hi")).toMatchObject({ text: "", finish: "stop" });
    expect(await storedAnswer()).toMatchObject({ content: "", status: "incomplete", finish_reason: "stop" });
  });

  it.each([
    ["length", "length", "length"],
    ["content_filter", "content_filter", "content_filter"],
    ["constructor", "stop", undefined],
    [{ why: "who knows" }, "stop", undefined],
  ])("that ends because of %j is reported to the client as %s", async (finish, seen, kept) => {
    fake.next({ finish });
    expect((await ask("hi")).finish?.replace("-", "_")).toBe(seen);
    const { status, finish_reason } = await storedAnswer();
    expect([status, finish_reason]).toEqual([kept ? "incomplete" : "complete", kept ?? "stop"]);
  });

  it("that does not stop is cut off at the reserved tokens, and no more is read or booked", async () => {
    fake.next({ flood: "word " });
    const seen = await ask("hi");
    expect(seen.finish).toBe("length");
    const { content, status, finish_reason, usage } = await storedAnswer();
    expect([status, finish_reason]).toEqual(["incomplete", "length"]);
    expect(content).toBe(seen.text);
    // What the prompt's estimate leaves of the reservation, as OpenAI's encoder counts it.
    const tokens = (await loadTokenizer("o200k_base"))(content);
    expect(tokens).toBeGreaterThan(RESERVED - 100);
    expect(tokens).toBeLessThanOrEqual(RESERVED);
    expect(usage!.input_tokens + usage!.output_tokens).toBe(RESERVED);
    expect(seen.outputTokens).toBe(usage!.output_tokens);
    expect((await booked()).spent).toBe(RESERVED);
    await expect.poll(() => fake.requests[0]!.isCut).toBe(true);
  });

  it("that sends 420,000 characters at once has as many of them stored as a message can have", async () => {
    // A run of blanks is few tokens.
    fake.next({ deltas: [" ".repeat(420_000)], usage: { prompt_tokens: 12, completion_tokens: 3000 } });
    expect(await ask("hi")).toMatchObject({ text: " ".repeat(MAX_CONTENT_BYTES), finish: "length" });
    const { content, status, finish_reason } = await storedAnswer();
    expect(content).toHaveLength(MAX_CONTENT_BYTES);
    expect([status, finish_reason]).toEqual(["incomplete", "length"]);
  });
});

describe("an answer that was cut off", () => {
  it("is replayed with its original end, and not with an error", async () => {
    fake.always({ flood: "word " });
    const post = () =>
      fetch(`${api.url}/v1/sessions/s/chat`, {
        method: "POST",
        headers: { authorization: `Bearer ${user}`, "idempotency-key": `key-${user}` },
        body: JSON.stringify({ content: "hi", stream: true }),
      }).then((response) => response.text());
    const first = await post();
    const again = await post();
    const ends = (text: string) => text.split("\n\n").filter((line) => /"type":"(finish|error)"/.test(line));
    expect(ends(first)[0]).toContain('"finishReason":"length"');
    expect(ends(again)).toEqual(ends(first));
    expect(fake.requests).toHaveLength(1);
  });

  it("without content is not sent to the model again", async () => {
    fake.next({ deltas: [""] });
    await askWhole("hi");
    await askWhole("and now?");
    expect(fake.requests[1]!.messages.map(({ content }) => content)).toEqual(["Be brief.", "hi", "and now?"]);
  });
});

describe("a provider that sends without end", () => {
  const MEGABYTE = 1_000_000;
  // One for each test: the circuit of one that fails opens.
  let endless: FakeOpenAI;
  beforeEach(async () => {
    endless = await startFakeOpenAI();
  });
  afterEach(() => endless.close());

  const turnWith = (options: Partial<ModelOptions>) => {
    const model = createInstance(world.table, { url: endless.url, maxAttempts: 1, ...options });
    return startTurn({ ...chat.deps, model }, turnRequest(chat.deps, user, "s", "hi"));
  };

  it.each([
    ["event", "unavailable"],
    ["error", "bad_request"],
  ] as const)("the reading of an %s ends after a few megabytes", async (what, code) => {
    endless.always({ endless: what });
    await expect(turnWith({})).rejects.toMatchObject({ code });
    expect(endless.requests).toHaveLength(1);
    await expect.poll(() => endless.requests[0]!.isCut).toBe(true);
    // What the client may hold, and what is on its way in buffers.
    expect(endless.requests[0]!.sent).toBeLessThan(30 * MEGABYTE);
  });

  it("of more events than one part of a response can have is read completely", async () => {
    endless.next({ deltas: [...Array(90_000).fill(""), "the end"] });
    expect(await textOf(await turnWith({}))).toBe("the end");
    await expect.poll(() => endless.requests[0]!.sent).toBeGreaterThan(9 * MEGABYTE);
  });

  it("events without text is aborted when no token arrives", async () => {
    endless.always({ flood: "" });
    await expect(turnWith({ firstToken: 1000 })).rejects.toMatchObject({ code: "unavailable" });
    expect(endless.requests).toHaveLength(1);
    await expect.poll(() => endless.requests[0]!.isCut).toBe(true);
  });
});
