import * as ai7 from "ai";
import * as ai6 from "ai-6";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Listening } from "../../../infra/local/listen.ts";
import { toUiMessages } from "../../../shared/chat/protocols/ui-message.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import type { MessageRecord } from "../../../shared/session/message.ts";
import type { MessagePart } from "../../../shared/session/parts.ts";
import { createChatWorld } from "../../support/chat-world.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { type Behaviour, callDeltas, type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";
import { startChatServer } from "../../support/start-chat-server.ts";
import { createWorld, type World } from "../../support/world.ts";

type Init = Omit<ai7.ChatInit<ai7.UIMessage>, "transport" | "generateId">;

let engines: Engines;
let fake: FakeOpenAI;
let world: World;
let api: Listening;
let ticking: NodeJS.Timeout;
let count = 0;
let id = "";

beforeAll(async () => {
  // What goes wrong on purpose is logged.
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  [engines, fake] = await Promise.all([startEngines(), startFakeOpenAI()]);
  world = createWorld(engines);
  api = await startChatServer(world, createChatWorld(world, fake.url).deps);
  ticking = setInterval(() => world.advance(5), 5);
});
beforeEach(() => {
  fake.reset();
  id = `chat-${count++}`;
});
afterAll(async () => {
  clearInterval(ticking);
  await api.close();
  await Promise.all([engines.close(), fake.close()]);
});

const headers = { authorization: "Bearer ann" };
const request = (path: string, init: RequestInit = {}) => fetch(api.url + path, { headers, ...init });
const stop = async () => (await request(`/v1/sessions/${id}/stop`, { method: "POST" })).json();
const readBack = async () =>
  ((await (await request(`/v1/chat/${id}`)).json()) as { messages: ai7.UIMessage[] }).messages;
const stored = async (branch = "current") =>
  (await listMessages(world.stores, { user: "ann", id }, { order: "asc", limit: 100, branch })).messages;
/** What the model was shown last, without the system prompt. */
const prompt = () =>
  fake.requests
    .at(-1)!
    .messages.slice(1)
    .map(({ content }) => content);
/** A message of a client without what only the client knows of it. */
const comparable = (message: ai7.UIMessage): ai7.UIMessage =>
  JSON.parse(JSON.stringify({ ...message, parts: message.parts.map((part) => ({ ...part, id: undefined })) }));
const textOf = ({ parts }: ai7.UIMessage): string =>
  parts.map((part) => (part.type === "text" ? part.text : "")).join("");
const texts = (messages: ai7.UIMessage[]) => messages.map((message) => [message.role, textOf(message)]);

/** A chat as `useChat` keeps it, with the transport's defaults, of one version of the AI SDK. */
function chatOf({ AbstractChat, DefaultChatTransport }: typeof ai7, init: Init = {}, token = "ann") {
  class Chat extends AbstractChat<ai7.UIMessage> {}
  const state: ai7.ChatState<ai7.UIMessage> = {
    status: "ready",
    error: undefined,
    messages: init.messages ?? [],
    pushMessage: (message) => void state.messages.push(message),
    popMessage: () => void state.messages.pop(),
    replaceMessage: (index, message) => void state.messages.splice(index, 1, message),
    snapshot: (value) => structuredClone(value),
  };
  const transport = new DefaultChatTransport<ai7.UIMessage>({
    api: `${api.url}/v1/chat`,
    headers: { authorization: `Bearer ${token}` },
  });
  return new Chat({ id, ...init, transport, state });
}

const large = (id: string, count: number, size: number) => {
  return { id, role: "user", parts: Array.from({ length: count }, () => ({ type: "text", text: "x".repeat(size) })) };
};

describe.each([
  ["6", ai6 as unknown as typeof ai7],
  ["7", ai7],
])("the AI SDK %s with its defaults", (_version, sdk) => {
  const chat = (init?: Init, token?: string) => chatOf(sdk, init, token);

  it("finds nothing to resume in a session that does not exist, and no messages", async () => {
    const fresh = chat();
    await fresh.resumeStream();
    expect([fresh.status, fresh.error]).toEqual(["ready", undefined]);
    expect(await readBack()).toEqual([]);
  });

  it("creates a session, sends, streams, and continues in the same session", async () => {
    const seen: string[] = [];
    fake.always({ perToken: 10 });
    const ours = chat({ onData: ({ type }) => void seen.push(type) });
    await ours.sendMessage({ text: "good morning" });
    await ours.sendMessage({ text: "and you?", metadata: { from: "test" } });
    expect(ours.error).toBeUndefined();
    expect(texts(ours.messages)).toEqual([
      ["user", "good morning"],
      ["assistant", "You said: good morning"],
      ["user", "and you?"],
      ["assistant", "You said: and you?"],
    ]);
    expect(ours.lastMessage).toMatchObject({
      metadata: { session_id: id, model: "model-a", status: "complete", usage: { output_tokens: 4 } },
    });
    expect(fake.requests[1]!.messages.map(({ content }) => content)).toEqual([
      "Be brief.",
      "good morning",
      "You said: good morning",
      "and you?",
    ]);
    // What is read back is what the client has.
    expect(await readBack()).toEqual(ours.messages.map(comparable));
    expect(await stored()).toHaveLength(4);
  });

  it("edits a message several times, and each edit is a separate branch", async () => {
    const ours = chat();
    await ours.sendMessage({ text: "one" });
    await ours.sendMessage({ text: "two" });
    const [first, , second] = ours.messages.map((message) => message.id);
    await ours.sendMessage({ text: "two and a half", messageId: second! });
    await ours.sendMessage({ text: "two and three quarters", messageId: second! });
    await ours.sendMessage({ text: "three" });
    expect(ours.error).toBeUndefined();
    expect(prompt()).toEqual([
      "one",
      "You said: one",
      "two and three quarters",
      "You said: two and three quarters",
      "three",
    ]);
    expect(await readBack()).toEqual(ours.messages.map(comparable));
    await ours.sendMessage({ text: "zero", messageId: first! });
    expect(prompt()).toEqual(["zero"]);
    await ours.sendMessage({ text: "next" });
    expect(await readBack()).toEqual(ours.messages.map(comparable));
    expect(texts(ours.messages).map(([, text]) => text)).toEqual(["zero", "You said: zero", "next", "You said: next"]);
    expect(await stored("all")).toHaveLength(14);
  });

  it("continues with an edited message after a reload", async () => {
    const ours = chat();
    await ours.sendMessage({ text: "one" });
    await ours.sendMessage({ text: "two", messageId: ours.messages[0]!.id });
    const reloaded = chat({ messages: await readBack() });
    await reloaded.sendMessage({ text: "three", messageId: reloaded.messages[0]!.id });
    await reloaded.regenerate();
    expect(texts(await readBack())).toEqual([
      ["user", "three"],
      ["assistant", "You said: three"],
    ]);
    expect((await stored("all")).map(({ content }) => content).sort()).toEqual(
      ["one", "You said: one", "two", "You said: two", "three", "You said: three", "You said: three"].sort(),
    );
  });

  it("regenerates the last answer and an earlier one, and each question is stored once", async () => {
    const ours = chat();
    await ours.sendMessage({ text: "one" });
    const [, answer] = ours.messages.map((message) => message.id);
    fake.next({ text: "Another" });
    await ours.regenerate();
    expect(texts(ours.messages)).toEqual([
      ["user", "one"],
      ["assistant", "Another"],
    ]);
    expect(prompt()).toEqual(["one"]);
    await ours.sendMessage({ text: "two" });
    expect(prompt()).toEqual(["one", "Another", "two"]);
    fake.next({ text: "A third" });
    await ours.regenerate({ messageId: ours.messages[1]!.id });
    expect(await readBack()).toEqual(ours.messages.map(comparable));
    expect(texts(ours.messages).at(-1)).toEqual(["assistant", "A third"]);
    const all = await stored("all");
    expect(all.filter(({ role }) => role === "user")).toHaveLength(2);
    expect(all.map(({ id: message }) => message)).toContain(answer);
  });

  it("tries again after the model has failed, with the question that is stored", async () => {
    const ours = chat();
    fake.next({ status: 400 });
    await ours.sendMessage({ text: "one" });
    expect(ours.status).toBe("error");
    expect(ours.error!.message).toContain("bad_request");
    await ours.regenerate();
    expect(ours.status).toBe("ready");
    expect(await readBack()).toEqual(ours.messages.map(comparable));
    expect(await stored("all")).toHaveLength(2);
  });

  it("tries again after a refusal that stored nothing", async () => {
    await chat({ id: `${id}-other` }, "ann/tiny").sendMessage({ text: "first of the minute" });
    const ours = chat();
    await chat({}, "ann/tiny").sendMessage({ text: "one" });
    expect(await readBack()).toEqual([]);
    ours.messages = [{ id: "unstored", role: "user", parts: [{ type: "text", text: "one" }] }];
    await ours.regenerate();
    expect(texts(await readBack())).toEqual([
      ["user", "one"],
      ["assistant", "You said: one"],
    ]);
  });

  it("goes into its error state when an answer ends early, and keeps the text so far", async () => {
    const ours = chat();
    fake.next({ resetAfter: 2, perToken: 20 });
    await ours.sendMessage({ text: "one two three" });
    expect([ours.status, ours.error?.message]).toEqual(["error", expect.stringContaining("broke off")]);
    expect(textOf(ours.lastMessage!)).toBe("You said: ");
    expect(texts(await readBack())).toEqual(texts(ours.messages));
  });

  it("can stop reading without stopping the answer, unless it also stops the session", async () => {
    const ours = chat();
    fake.next({ perToken: 100 });
    const sending = ours.sendMessage({ text: "one two three" });
    await expect.poll(() => textOf(ours.lastMessage!)).toContain("You");
    await ours.stop();
    await sending;
    expect(ours.status).toBe("ready");
    await expect.poll(async () => texts(await readBack()).at(-1)).toEqual(["assistant", "You said: one two three"]);
    fake.next({ text: "one two", hang: "mid-stream" });
    const second = ours.sendMessage({ text: "again" });
    await expect.poll(() => textOf(ours.lastMessage!)).toContain("one");
    expect(await stop()).toEqual({ stopped: true, message_id: ours.lastMessage!.id });
    await second;
    expect(ours.status).toBe("ready");
    expect((await readBack()).at(-1)).toMatchObject({ metadata: { status: "stopped" } });
  });

  it("stores the earlier messages of a client in a new session", async () => {
    const ours = chat({
      messages: [
        { id: "hello", role: "assistant", parts: [{ type: "text", text: "How can I help?" }] },
        { id: "q1", role: "user", parts: [{ type: "text", text: "one" }] },
        { id: "a1", role: "assistant", parts: [{ type: "step-start" }, { type: "text", text: "uno" }] },
      ],
    });
    await ours.sendMessage({ text: "two" });
    expect(prompt()).toEqual(["How can I help?", "one", "uno", "two"]);
    expect((await readBack()).map((message) => message.id)).toEqual(ours.messages.map((message) => message.id));
  });

  it("sends files, and sends them again after a reload when a message is edited", async () => {
    const ours = chat();
    const file = {
      type: "file",
      mediaType: "text/plain",
      filename: "a.txt",
      url: "data:text/plain;base64,aGVsbG8=",
    } as const;
    await ours.sendMessage({ text: "Look", files: [file] });
    expect(ours.error).toBeUndefined();
    const [question] = await readBack();
    const [shown] = question!.parts as unknown as { url: string; providerMetadata: { memocha: { file_id: string } } }[];
    const { file_id } = shown!.providerMetadata.memocha;
    expect(shown).toMatchObject({ type: "file", mediaType: "text/plain", filename: "a.txt", url: `url of ${file_id}` });
    const reloaded = chat({ messages: await readBack() });
    await reloaded.sendMessage({
      parts: [shown as never, { type: "text", text: "Look again" }],
      messageId: question!.id,
    });
    expect(reloaded.error).toBeUndefined();
    expect((await stored()).map(({ content, parts }) => [content, parts?.[0]])).toMatchObject([
      ["Look again", { type: "file", file_id, media_type: "text/plain", filename: "a.txt" }],
      [expect.any(String), undefined],
    ]);
    await reloaded.sendMessage({ files: [{ ...file, url: "https://example.com/a.txt" }], text: "x" });
    expect(reloaded.error!.message).toContain("messages.2.parts.0.data: must be a data: URL");
  });

  it("shows reasoning and sources as parts of the answer", async () => {
    const annotation = { type: "url_citation", url_citation: { url: "https://example.com/a", title: "A" } };
    fake.next({ pieces: [{ reasoning_content: "Hm." }, { content: "It is so." }, { annotations: [annotation] }] });
    const ours = chat();
    await ours.sendMessage({ text: "why?" });
    expect(ours.error).toBeUndefined();
    const source = { type: "source-url", sourceId: expect.any(String), url: "https://example.com/a", title: "A" };
    const parts = [
      { type: "step-start" },
      { type: "reasoning", text: "Hm.", state: "done" },
      { type: "text", text: "It is so.", state: "done" },
      source,
    ];
    expect(comparable(ours.lastMessage!).parts).toEqual(parts);
    expect((await readBack()).at(-1)!.parts).toEqual(parts);
  });

  it("accepts what the server shows of empty messages, deleted files and repeated ids of calls", async () => {
    const said = (role: "system" | "user" | "assistant" | "tool", ...parts: MessagePart[]) =>
      ({ id: "m", role, content: "", created_at: "", ...(parts.length > 0 ? { parts } : {}) }) as MessageRecord;
    const called = { type: "tool_call", tool_call_id: "c", name: "f", input: {} } as const;
    const result = (output: string) => said("tool", { type: "tool_result", tool_call_id: "c", output });
    const deleted = { type: "file", file_id: "deleted", media_type: "text/plain" } as const;
    const rounds = [said("assistant", called), result("1"), said("assistant", called), result("2")];
    const shown = toUiMessages(id, [said("tool"), said("system"), said("user"), said("user", deleted), ...rounds]);
    expect(await sdk.safeValidateUIMessages({ messages: shown })).toMatchObject({ success: true });
    expect(await sdk.convertToModelMessages(shown as ai7.UIMessage[])).toHaveLength(8);
    expect(shown.at(-1)!.parts.flatMap(({ output = [] }) => output)).toEqual(["1", "2"]);
  });

  describe("with tools that the client runs", () => {
    const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }];
    const call = (n: number, city: string) => ({ id: `call-${n}`, name: "weather", input: JSON.stringify({ city }) });
    const calling = (...calls: ReturnType<typeof call>[]): Behaviour => ({
      pieces: callDeltas(calls),
      finish: "tool_calls",
    });
    const run = (city: string) => {
      if (city === "Atlantis") throw new Error("no such city");
      return { degrees: city.length };
    };
    /** A chat whose tools run by themselves. */
    const chatWithTools = (init: Init = {}) => {
      const ours = chat({
        ...init,
        sendAutomaticallyWhen: sdk.lastAssistantMessageIsCompleteWithToolCalls,
        onToolCall: ({ toolCall: { toolCallId, input } }) => {
          const given = { tool: "weather", toolCallId } as const;
          try {
            void ours.addToolOutput({ ...given, output: run((input as { city: string }).city) });
          } catch (error) {
            void ours.addToolOutput({ ...given, state: "output-error", errorText: (error as Error).message });
          }
        },
      });
      return ours;
    };
    const idle = (ours: ReturnType<typeof chat>, requests: number) =>
      expect.poll(() => [ours.status, fake.requests.length], { timeout: 10_000 }).toEqual(["ready", requests]);

    it("runs several rounds with parallel calls and an error as a result", async () => {
      const ours = chatWithTools();
      fake.next(calling(call(1, "Rome"), call(2, "Atlantis")), calling(call(3, "Oslo")), { text: "It is warm." });
      await ours.sendMessage({ text: "weather?" }, { body: { tools } });
      await idle(ours, 3);
      expect(ours.error).toBeUndefined();
      expect(fake.requests[0]).toMatchObject({ tools });
      expect(fake.requests[2]!.messages.map(({ role, tool_call_id }) => [role, tool_call_id])).toEqual([
        ["system", undefined],
        ["user", undefined],
        ["assistant", undefined],
        ["tool", "call-1"],
        ["tool", "call-2"],
        ["assistant", undefined],
        ["tool", "call-3"],
      ]);
      // All rounds are one message of the client.
      expect(ours.messages).toHaveLength(2);
      const states = ours.lastMessage!.parts.map((part) => [part.type, "state" in part ? part.state : undefined]);
      expect(states).toEqual([
        ["step-start", undefined],
        ["tool-weather", "output-available"],
        ["tool-weather", "output-error"],
        ["step-start", undefined],
        ["tool-weather", "output-available"],
        ["step-start", undefined],
        ["text", "done"],
      ]);
      expect(await readBack()).toEqual(ours.messages.map(comparable));
      expect((await stored()).map(({ role, finish_reason }) => [role, finish_reason])).toEqual([
        ["user", undefined],
        ["assistant", "tool_calls"],
        ["tool", undefined],
        ["assistant", "tool_calls"],
        ["tool", undefined],
        ["assistant", "stop"],
      ]);
      await ours.sendMessage({ text: "thanks" });
      expect(ours.messages).toHaveLength(4);
      expect(await readBack()).toEqual(ours.messages.map(comparable));
    });

    it("answers after a reload between a call and its result", async () => {
      const ours = chat();
      fake.next(calling(call(1, "Rome")));
      await ours.sendMessage({ text: "weather?" }, { body: { tools } });
      const reloaded = chat({
        messages: await readBack(),
        sendAutomaticallyWhen: sdk.lastAssistantMessageIsCompleteWithToolCalls,
      });
      fake.next({ text: "It is warm." });
      await reloaded.addToolOutput({ tool: "weather", toolCallId: "call-1", output: { degrees: 4 } });
      await idle(reloaded, 2);
      expect(textOf(reloaded.lastMessage!)).toBe("It is warm.");
      expect(reloaded.messages).toHaveLength(2);
      expect(await readBack()).toEqual(reloaded.messages.map(comparable));
    });

    it("resumes a later round with the earlier ones", async () => {
      const ours = chatWithTools();
      fake.next(calling(call(1, "Rome")), { text: "It is warm today.", perToken: 200 });
      await ours.sendMessage({ text: "weather?" }, { body: { tools } });
      await expect.poll(() => fake.requests.length).toBe(2);
      const reloaded = chat({ messages: await readBack() });
      await reloaded.resumeStream();
      await idle(ours, 2);
      expect(reloaded.messages.map(comparable)).toEqual(ours.messages.map(comparable));
      expect(await readBack()).toEqual(ours.messages.map(comparable));
    });

    it("gets an error for a result without a call, or a second result", async () => {
      const part = {
        type: "tool-weather",
        toolCallId: "call-1",
        state: "output-available",
        input: {},
        output: 1,
      } as const;
      const step = { type: "step-start" } as const;
      const ours = chat({ messages: [{ id: "a", role: "assistant", parts: [step, part] as never }] });
      await ours.sendMessage();
      expect(ours.error!.message).toContain(
        'messages.0.parts.1.tool_call_id: \\"call-1\\" is not a tool call of this conversation',
      );
    });
  });

  it.each([
    [{ messages: [] }, "messages"],
    [{ messages: [{ id: "a", role: "user", parts: [] }] }, "messages"],
    [{ messages: [{ id: "a", role: "user", parts: [{ type: "text", text: " " }] }] }, "messages.0.parts"],
    [{ messages: [{ id: "a", role: "user", parts: [{ type: "text", text: 7 }] }] }, "messages.0.parts.0.text"],
    [{ messages: [{ id: "a", role: "user", parts: [{ type: "custom" }] }] }, "messages.0.parts.0.type"],
    [{ messages: [{ id: "a", role: "assistant", parts: [{ type: "text", text: "x" }] }] }, "messages"],
    [{ messages: [large("a", 2, 200_000), large("b", 1, 1)] }, "messages.0.parts"],
    [{ messages: [large("a", 1, 400_000), large("b", 1, 1)] }, "messages.0.parts"],
    [{ id: " ", messages: [{ id: "a", role: "user", parts: [{ type: "text", text: "x" }] }] }, "id"],
    [
      { trigger: "resume-stream", messages: [{ id: "a", role: "user", parts: [{ type: "text", text: "x" }] }] },
      "trigger",
    ],
  ])("refuses %.200j, naming the field, and stores nothing", async (body, path) => {
    const response = await request("/v1/chat", { method: "POST", body: JSON.stringify({ id, ...body }) });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: "validation_failed", errors: [{ path }] });
    expect(await readBack()).toEqual([]);
  });

  it("resumes the running answer after a reload", async () => {
    fake.next({ perToken: 150 });
    const asked = request(`/v1/sessions/${id}/chat`, { method: "POST", body: JSON.stringify({ content: "one two" }) });
    await expect.poll(async () => (await readBack()).length).toBe(1);
    const reloaded = chat({ messages: await readBack() });
    await reloaded.resumeStream();
    expect([reloaded.status, reloaded.error]).toEqual(["ready", undefined]);
    expect(texts(reloaded.messages)).toEqual([
      ["user", "one two"],
      ["assistant", "You said: one two"],
    ]);
    await asked;
    expect((await readBack()).map((message) => message.id)).toEqual(reloaded.messages.map((message) => message.id));
  });

  it("learns that the answer that it follows was stopped", async () => {
    fake.next({ text: "one two", hang: "mid-stream" });
    const asked = request(`/v1/sessions/${id}/chat`, { method: "POST", body: JSON.stringify({ content: "count" }) });
    await expect.poll(() => fake.requests.length).toBe(1);
    const following = chat({ messages: await readBack() });
    const resuming = following.resumeStream();
    expect(await stop()).toEqual({ stopped: true, message_id: expect.any(String) });
    await resuming;
    expect([following.status, following.error]).toEqual(["ready", undefined]);
    expect(following.lastMessage).toMatchObject({ metadata: { status: "stopped" } });
    expect(textOf(following.lastMessage!)).toBe("one ");
    await asked;
  });
});
