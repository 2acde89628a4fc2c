import { afterAll, beforeAll, expect, it } from "vitest";
import { askAgain } from "../../../shared/chat/ask-again.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { deleteMessage } from "../../../shared/session/delete-message.ts";
import { patchSession } from "../../../shared/session/patch-session.ts";
import { meter } from "../../bench/support/meter.ts";
import { createChatWorld, runTurn, turnRequest } from "../../support/chat-world.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";
import { createMemoryWorld, type MemoryWorld } from "../../support/memory-world.ts";

let engines: Engines;
let fake: FakeOpenAI;
let world: MemoryWorld;
let chat: ReturnType<typeof createChatWorld>;
let requests = 0;

beforeAll(async () => {
  [engines, fake] = await Promise.all([startEngines(), startFakeOpenAI()]);
  world = createMemoryWorld(engines);
  chat = createChatWorld(world, fake.url);
});
afterAll(async () => {
  await Promise.all([engines.close(), fake.close()]);
});

/** With its keys, a message of this text is smaller than 1 KB. */
const TEXT = "x".repeat(700);

/** Calls to DynamoDB, write units and read units of an operation, without those of remembering. */
const COSTS = {
  linear: {
    turn: [6, 10, 2],
    append: [2, 6, 1],
    edit: [3, 10, 2],
    "edited turn": [8, 15, 7],
    "answer again": [13, 13, 12],
    switch: [5, 7, 4],
    deletion: [10, 16, 10],
  },
  branched: {
    turn: [6, 10, 2],
    append: [2, 6, 1],
    edit: [4, 10, 3],
    "edited turn": [8, 15, 7],
    "answer again": [14, 13, 13],
    switch: [6, 7, 6],
    deletion: [10, 10, 10],
  },
};

it.each(["linear", "branched"] as const)("operations on a %s session cost exactly what they should", async (state) => {
  const session = { user: state, id: "s" };
  await world.create(session.user, session.id, 3600);
  const ask = async (more: object = {}) => {
    world.advance(1000);
    return (await runTurn(chat.deps, turnRequest(chat.deps, session.user, session.id, TEXT, more))).turn.id;
  };
  const append = (more: object = {}) => {
    world.advance(1000);
    const input = { role: "user" as const, content: TEXT, ...more };
    const request = { seed: `append ${requests++}`, at: world.stores.clock() };
    return appendMessages(chat.deps, session, input, request);
  };
  const { measure } = meter(engines.dynamodb);
  const cost = async (work: () => Promise<unknown>) => {
    const { calls, wru, rru } = await measure(work);
    return [calls, wru, rru];
  };

  const [first, second] = [await ask(), await ask()];
  const last = await ask(state === "branched" ? { parent: first } : {});
  const costs = {
    turn: await cost(() => ask()),
    append: await cost(() => append()),
    edit: await cost(() => append({ parent_id: first })),
    "edited turn": await cost(() => ask({ parent: first })),
    "answer again": await cost(async () => ask(await askAgain(chat.deps, session, last))),
    switch: await cost(() => patchSession(chat.deps, session, { head_id: second }, undefined)),
    deletion: await cost(() => deleteMessage(chat.deps, session, second)),
  };
  expect(costs).toEqual(COSTS[state]);
});
