import * as ai7 from "ai";
import * as ai6 from "ai-6";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Listening } from "../../../infra/local/listen.ts";
import { createChatWorld } from "../../support/chat-world.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";
import { startChatServer } from "../../support/start-chat-server.ts";
import { createWorld, type World } from "../../support/world.ts";

type Init = Omit<ai7.ChatInit<ai7.UIMessage>, "transport" | "generateId">;

let engines: Engines;
let fake: FakeOpenAI;
let world: World;
let api: Listening;
let count = 0;
let id = "";

beforeAll(async () => {
  // What goes wrong on purpose is logged.
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  [engines, fake] = await Promise.all([startEngines(), startFakeOpenAI()]);
  world = createWorld(engines);
  api = await startChatServer(world, createChatWorld(world, fake.url).deps);
});
beforeEach(() => {
  fake.reset();
  id = `chat-${count++}`;
});
afterAll(async () => {
  await api.close();
  await Promise.all([engines.close(), fake.close()]);
});

const headers = { authorization: "Bearer ann" };
const request = (path: string, init: RequestInit = {}) => fetch(api.url + path, { headers, ...init });
const stop = async () => (await request(`/v1/sessions/${id}/stop`, { method: "POST" })).json();
const readBack = async () =>
  ((await (await request(`/v1/chat/${id}`)).json()) as { messages: ai7.UIMessage[] }).messages;
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

  it("resumes the answer that is being given after a reload", async () => {
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

  it("is told that the answer which it follows was stopped", async () => {
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
