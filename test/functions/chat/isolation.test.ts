import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Listening } from "../../../infra/local/listen.ts";
import { createChatWorld } from "../../support/chat-world.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";
import { createMemoryWorld, type MemoryWorld } from "../../support/memory-world.ts";
import { startChatServer } from "../../support/start-chat-server.ts";

let engines: Engines;
let fake: FakeOpenAI;
let world: MemoryWorld;
let api: Listening;

beforeAll(async () => {
  [engines, fake] = await Promise.all([startEngines(), startFakeOpenAI()]);
  world = createMemoryWorld(engines);
  const { deps } = createChatWorld(world, fake.url);
  api = await startChatServer(world, { ...deps, recall: world.recall });
});
afterAll(async () => {
  await api.close();
  await Promise.all([engines.close(), fake.close()]);
});

/** Users whose names could be taken for each other's, or for parts of keys. */
const USERS = ["ann", "Ann", "ann#S#home", "ann%23S%23home", "ann#", "an", "U#ann"];
/** Sessions have the same names with all of them. */
const SESSIONS = ["home", "S#home", "work"];
const TOPICS = ["passport number", "garden", "dog and the garden", "number of the garden gate"];

type Step = { user: number; session: string; topic: string; does: "tell" | "ask" | "complete" };
const step: fc.Arbitrary<Step> = fc.record({
  user: fc.nat({ max: USERS.length - 1 }),
  session: fc.constantFrom(...SESSIONS),
  topic: fc.constantFrom(...TOPICS),
  does: fc.constantFrom("tell", "tell", "ask", "complete"),
});

const post = async (user: string, path: string, body: object) => {
  const headers = { authorization: `Bearer ${user}`, "content-type": "application/json" };
  const response = await fetch(api.url + path, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: response.status, text: await response.text() };
};
/** Whose secrets are in a text. */
const ownersIn = (text: string) => new Set([...text.matchAll(/secret-of-(\d+)-/g)].map(([, owner]) => Number(owner)));

describe("the prompt of a model", () => {
  it("never contains another user's data, with any user ids and topics", async () => {
    let runs = 0;
    let secrets = 0;
    let recalled = 0;
    const say = async (run: string, { user, session, topic, does }: Step) => {
      const name = `${USERS[user]}${run}`;
      if (does === "tell") {
        await world.say(name, session, `My ${topic} is secret-of-${user}-${secrets++}.`);
        await world.deliver(name, session);
        return;
      }
      fake.reset();
      fake.always({ text: "Fine." });
      const fresh = `question-${secrets++}`;
      const question = `What do you know about my ${topic}?`;
      const { status, text } =
        does === "ask"
          ? await world.say(name, fresh).then(() => post(name, `/v1/sessions/${fresh}/chat`, { content: question }))
          : await post(name, "/v1/chat/completions", {
              model: "model-a",
              messages: [{ role: "user", content: question }],
              metadata: { session_id: fresh },
            });
      expect(status).toBe(200);
      const owners = new Set([...ownersIn(JSON.stringify(fake.requests)), ...ownersIn(text)]);
      recalled += owners.size;
      expect([...owners].filter((owner) => owner !== user)).toEqual([]);
    };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 16 }), async (steps) => {
        const run = `-${runs++}`;
        for (const next of steps) await say(run, next);
        // All of them ask about everything in the end.
        const does = ["ask", "complete"] as const;
        for (const [user] of USERS.entries())
          await say(run, { user, session: "home", topic: TOPICS.join(" "), does: does[user % 2] ?? "ask" });
      }),
      { numRuns: 12 },
    );
    // Their own they are told, or there would be nothing to see here.
    expect(recalled).toBeGreaterThan(20);
  }, 60_000);
});
