import { unmarshall } from "@aws-sdk/util-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { archiveSession } from "../../../shared/session/archive-session.ts";
import { fromHeaderItem } from "../../../shared/session/items.dynamodb.ts";
import { createChatWorld, runTurn, turnRequest } from "../../support/chat-world.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { callDeltas, type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";
import { promptBytes, sharedBeginning } from "../../support/shared-beginning.ts";
import { createWorld, type World } from "../../support/world.ts";

const TTL = 30 * 86_400;
const TURNS = 30;

let engines: Engines;
let fake: FakeOpenAI;
let world: World;

beforeAll(async () => {
  [engines, fake] = await Promise.all([startEngines(), startFakeOpenAI()]);
  world = createWorld(engines);
});
beforeEach(() => fake.reset());
afterAll(() => Promise.all([engines.close(), fake.close()]));

const recall = async () => [
  {
    id: `memory-${fake.requests.length}`,
    session_id: "earlier",
    message_id: `message-${fake.requests.length}`,
    role: "user" as const,
    content: `another memory: ${fake.requests.length}`,
    created_at: "2026-01-02T03:04:05.000Z",
  },
];

const tools = [{ type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } }];
const image = { type: "file" as const, data: "data:image/png;base64,cG5n", filename: "a.png" };

/** The requests of one round, by the kind of the conversation. */
const conversations = {
  text: (content: string) => [{ question: { role: "user" as const, content } }],
  memories: (content: string) => [{ question: { role: "user" as const, content }, memory: true }],
  tools: (content: string, n: number) => [
    { question: { role: "user" as const, content }, parameters: { tools }, memory: true },
    {
      question: {
        role: "tool" as const,
        content: "",
        parts: [{ type: "tool_result" as const, tool_call_id: `call-${n}`, output: { found: n } }],
      },
      parameters: { tools },
      memory: true,
    },
  ],
  files: (content: string) => [
    { question: { role: "user" as const, content, parts: [{ type: "text" as const, text: content }, image] } },
  ],
};

describe("the prompts of consecutive turns", () => {
  it.each(["text", "memories", "tools", "files"] as const)(
    "of a conversation with %s begin with the same bytes, until the window slides by ten messages",
    async (kind) => {
      const { deps } = createChatWorld(world, fake.url, { maxContextTokens: 100_000 });
      const chat = { ...deps, recall, specOf: () => ({ context: 200_000, input: 1, output: 2, images: true }) };
      await world.create("ann", kind, TTL);
      for (let n = 0; n < TURNS; n++) {
        if (kind === "tools") {
          fake.next({ pieces: callDeltas([{ id: `call-${n}`, name: "look", input: "{}" }]), finish: "tool_calls" });
        }
        for (const turn of conversations[kind](`question ${n}`, n)) {
          await runTurn(chat, turnRequest(chat, "ann", kind, "", turn));
          // Days pass: the date of the prompt changes.
          world.advance(6 * 3_600_000);
        }
      }

      const slides: number[] = [];
      for (const [n, next] of fake.requests.entries()) {
        const previous = fake.requests[n - 1];
        if (!previous) continue;
        // Memories and the date stand with the user's last message, so that everything before it stays.
        const asked = previous.messages.findLastIndex(({ role }) => role === "user");
        const stays = previous.messages.slice(0, kind === "memories" || kind === "tools" ? asked : undefined);
        const bytes = promptBytes({ ...previous, messages: stays });
        const shared = sharedBeginning(promptBytes(previous), promptBytes(next));
        if (shared >= bytes.length) continue;
        slides.push(n);
        // The system prompt stays, and the history begins ten messages later.
        const [system, ...history] = previous.messages;
        // Its first message may be the result of a tool, which a user quotes when its call is gone: look for the second.
        const [, , second] = next.messages;
        expect(next.messages[0]).toEqual(system);
        expect(history.findIndex((message) => JSON.stringify(message) === JSON.stringify(second))).toBe(10 + 1);
      }
      // A request adds two messages, so that the window slides at every fifth.
      expect(slides.length).toBeGreaterThan(1);
      for (const [n, slide] of slides.entries()) if (n > 0) expect(slide - (slides[n - 1] ?? 0)).toBe(5);
    },
  );

  it("name the same conversation for the provider's cache, also after it was archived, and no other one", async () => {
    const { deps } = createChatWorld(world, fake.url);
    const keys: (string | undefined)[] = [];
    const model = {
      ...deps.model,
      ask: (request: Parameters<typeof deps.model.ask>[0]) => {
        keys.push(request.cacheKey);
        return deps.model.ask(request);
      },
    };
    const turn = (user: string, id: string) => runTurn({ ...deps, model }, turnRequest(deps, user, id, "hello"));
    await world.create("ann", "keyed", 3600);
    await world.create("bob", "keyed", 3600);
    await turn("ann", "keyed");
    await turn("bob", "keyed");
    world.advance(3_601_000);
    const swept = await world.sweep("ann", "keyed");
    await archiveSession(deps, fromHeaderItem(unmarshall(swept?.dynamodb?.OldImage as never)));
    await turn("ann", "keyed");
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(keys[2]).toBe(keys[0]);
    expect(keys[1]).not.toBe(keys[0]);
  });
});
