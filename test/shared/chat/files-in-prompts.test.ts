import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { startTurn } from "../../../shared/chat/start-turn.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { createSession } from "../../../shared/session/create-session.ts";
import { createChatWorld, runTurn, turnRequest } from "../../support/chat-world.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";
import { createWorld, type World } from "../../support/world.ts";

let engines: Engines;
let fake: FakeOpenAI;
let world: World;

beforeAll(async () => {
  // These tests cause errors on purpose, which are logged.
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  [engines, fake] = await Promise.all([startEngines(), startFakeOpenAI()]);
  world = createWorld(engines);
});
beforeEach(() => fake.reset());
afterAll(() => Promise.all([engines.close(), fake.close()]));

/** A session whose first message has an image and a text file, and a model that takes images or not. */
async function prepare(user: string, images: boolean) {
  const { stores } = world;
  const { deps } = createChatWorld(world, fake.url);
  const request = { seed: user, at: stores.clock() };
  await createSession(stores, user, { id: "s" }, request, 3600);
  const parts = [
    { type: "text" as const, text: "Look" },
    { type: "file" as const, data: "data:image/png;base64,cG5n", filename: "a.png" },
    { type: "file" as const, data: "data:text/plain,notes", filename: "a.txt" },
  ];
  const [message] = await appendMessages(stores, { user, id: "s" }, { role: "user", parts }, request);
  return {
    deps: { ...deps, specOf: () => ({ context: 8192, input: 1, output: 2, images }) },
    parts: message?.parts ?? [],
  };
}

const promptOf = () => fake.requests.at(-1)!.messages.filter(({ role }) => role === "user");
const notes = { type: "text", text: 'File "a.txt":\nnotes' };

it("a model sees the images and text files of the conversation", async () => {
  const { deps } = await prepare("ann", true);
  await runTurn(deps, turnRequest(deps, "ann", "s", "What is it?"));
  const image = { type: "image_url", image_url: { url: "data:image/png;base64,cG5n" } };
  expect(promptOf()[0]?.content).toEqual([{ type: "text", text: "Look" }, image, notes]);
});

it("a model that takes no images sees the name of an earlier image, and a question with an image is refused", async () => {
  const { deps, parts } = await prepare("bob", false);
  await runTurn(deps, turnRequest(deps, "bob", "s", "What is it?"));
  const name = { type: "text", text: '[File "a.png" (image/png, 3 bytes), which you cannot read]' };
  expect(promptOf()[0]?.content).toEqual([{ type: "text", text: "Look" }, name, notes]);

  const question = { role: "user" as const, content: "Look", parts };
  const asked = startTurn(deps, turnRequest(deps, "bob", "s", "", { question, path: "messages.2." }));
  await expect(asked).rejects.toMatchObject({
    code: "validation_failed",
    fields: [{ path: "messages.2.parts.1", message: 'is an image, and the model "model-a" takes none' }],
  });
});

describe("a question whose files have more tokens than were reserved", () => {
  const pdf = `data:application/pdf;base64,${"A".repeat(400_000)}`;
  const text = { type: "text" as const, text: "What does it say?" };
  const question = { role: "user" as const, content: text.text, parts: [text, { type: "file" as const, data: pdf }] };

  /** A session with a first turn, and a model that reads so many tokens. */
  async function begin(user: string, context: number) {
    const { deps } = createChatWorld(world, fake.url);
    await world.create(user, "s", 3600);
    await runTurn(deps, turnRequest(deps, user, "s", "I am Ann."));
    world.advance(1000);
    return { ...deps, specOf: () => ({ context, input: 1, output: 2, images: true }) };
  }

  it("reserves more, so that the model sees the history and gives a whole answer", async () => {
    const deps = await begin("eve", 100_000);
    const plan = { name: "daily", requests_per_minute: 2, tokens_per_day: 50_000 };
    const { text } = await runTurn(deps, turnRequest(deps, "eve", "s", "", { question, plan }));
    expect(text).toContain("What does it say?");
    const { messages, max_tokens } = fake.requests.at(-1)!;
    expect([max_tokens, messages.map(({ role }) => role)]).toEqual([500, ["system", "user", "assistant", "user"]]);
    const { requests, spent, input_tokens, output_tokens } = await deps.limits.usage("eve", deps.clock());
    expect([requests, spent]).toEqual([2, input_tokens + output_tokens]);
  });

  it("is refused when the user's budget does not have them, and holds nothing of it", async () => {
    const deps = await begin("fay", 100_000);
    const { spent } = await deps.limits.usage("fay", deps.clock());
    const plan = { name: "daily", requests_per_minute: 0, tokens_per_day: 10_000 };
    const asked = startTurn(deps, turnRequest(deps, "fay", "s", "", { question, plan }));
    await expect(asked).rejects.toMatchObject({ code: "too_many_requests" });
    expect(fake.requests).toHaveLength(1);
    expect((await deps.limits.usage("fay", deps.clock())).spent).toBe(spent);
  });

  it("reaches a model whose context seems too small, because files are estimated from above", async () => {
    const deps = await begin("gil", 8192);
    const { text } = await runTurn(deps, turnRequest(deps, "gil", "s", "", { question }));
    expect([text, fake.requests.at(-1)!.max_tokens]).toEqual([expect.stringContaining("What does it say?"), 500]);
  });
});
