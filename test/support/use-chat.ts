import { afterAll, beforeAll, beforeEach } from "vitest";
import { createChatWorld } from "./chat-world.ts";
import { type Engines, startEngines } from "./engines.ts";
import { type FakeOpenAI, startFakeOpenAI } from "./fake-openai.ts";
import { createWorld, type World } from "./world.ts";

interface Shared<W extends World> {
  engines: Engines;
  fake: FakeOpenAI;
  world: W;
  chat: ReturnType<typeof createChatWorld>;
}

/** Starts the engines and a fake provider for the tests of a file. The members are set before the first test. */
export function useChat<W extends World = World>(
  create: (engines: Engines) => W = createWorld as (engines: Engines) => W,
  settings?: Parameters<typeof createChatWorld>[2],
): Shared<W> {
  const shared = {} as Shared<W>;
  beforeAll(async () => {
    [shared.engines, shared.fake] = await Promise.all([startEngines(), startFakeOpenAI()]);
    shared.world = create(shared.engines);
    shared.chat = createChatWorld(shared.world, shared.fake.url, settings);
  });
  beforeEach(() => shared.fake.reset());
  afterAll(() => Promise.all([shared.engines.close(), shared.fake.close()]));
  return shared;
}
