import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Listening } from "../../../infra/local/listen.ts";
import type { BranchMemory } from "../../../shared/memory/memory.ts";
import { showSession } from "../../../shared/session/read-session.ts";
import { startChatServer } from "../../support/start-chat-server.ts";
import { useChat } from "../../support/use-chat.ts";

const t = useChat();
let api: Listening;
let names = 0;
let id = "";
let searches = 0;

const MEMORY = {
  id: "m",
  session_id: "elsewhere",
  message_id: "x",
  role: "user",
  content: "The violin is under the stairs",
  created_at: "2026-11-20T12:00:00.000Z",
} as BranchMemory;

beforeAll(async () => {
  const recall = async () => {
    searches++;
    return [MEMORY];
  };
  api = await startChatServer(t.world, { ...t.chat.deps, recall });
});
beforeEach(() => {
  id = `session-${names++}`;
  searches = 0;
});
afterAll(async () => {
  await api.close();
});

async function post(path: string, body: object) {
  const response = await fetch(api.url + path, {
    method: "POST",
    headers: { authorization: "Bearer ann", "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text(), id: response.headers.get("x-session-id") };
}

const QUESTION = "Where is the violin?";
const asked = () => JSON.stringify(t.fake.requests.at(-1)?.messages);
const find = (session = id) => showSession(t.world.stores, { user: "ann", id: session });

/** The ways to ask, by route. */
const routes = {
  "POST /v1/sessions/{id}/chat": (incognito?: unknown) =>
    post(`/v1/sessions/${id}/chat`, { content: QUESTION, incognito }),
  "POST /v1/sessions/{id}/chat, streamed": (incognito?: unknown) =>
    post(`/v1/sessions/${id}/chat`, { content: QUESTION, stream: true, incognito }),
  "POST /v1/chat": (incognito?: unknown) =>
    post("/v1/chat", {
      id,
      messages: [{ id: "q", role: "user", parts: [{ type: "text", text: QUESTION }] }],
      incognito,
    }),
  "POST /v1/chat/completions": (incognito?: unknown) =>
    post("/v1/chat/completions", {
      messages: [{ role: "user", content: QUESTION }],
      metadata: { session_id: id, incognito },
    }),
};

describe.each(Object.entries(routes))("%s", (name, ask) => {
  it("begins an incognito session, without looking for memories", async () => {
    expect((await ask(true)).status).toBe(200);
    expect(await find()).toMatchObject({ incognito: true, message_count: 2 });
    expect([searches, asked().includes(MEMORY.content)]).toEqual([0, false]);
  });

  it("gives the model no memories in an incognito session, also when the request does not say that it is one", async () => {
    await ask(true);
    expect((await ask()).status).toBe(200);
    expect(await find()).toMatchObject({ incognito: true, message_count: 4 });
    expect(asked()).not.toContain(MEMORY.content);
  });

  it("begins an ordinary session by default, which uses memories", async () => {
    await ask();
    expect(await find()).not.toHaveProperty("incognito");
    expect(asked()).toContain(MEMORY.content);
  });

  it.each([true, false])("refuses a request that contradicts the existing session: %s", async (incognito) => {
    await ask(!incognito);
    const before = await find();
    const refused = await ask(incognito);
    expect([refused.status, refused.text]).toEqual([
      409,
      expect.stringContaining("incognito: the session exists and is"),
    ]);
    expect(await find()).toEqual(before);
    if (incognito) {
      t.world.advance(3_601_000);
      await t.world.archiveJob({ Records: [(await t.world.sweep("ann", id))!] });
      expect((await ask(true)).status).toBe(409);
      expect((await find()).status).toBe("archived");
    }
  });

  it("refuses a value that is neither true nor false, naming the field", async () => {
    const { status, text } = await ask("maybe");
    const path = name.endsWith("completions") ? "metadata.incognito" : "incognito";
    expect([status, JSON.parse(text).errors[0].path]).toEqual([400, path]);
    await expect(find()).rejects.toMatchObject({ code: "not_found" });
  });

  it("begins another session when the incognito one has expired: incognito again if the request says so", async () => {
    for (const incognito of [true, undefined]) {
      id = `session-${names++}`;
      await ask(true);
      const first = await find();
      t.world.advance(3_601_000);
      expect((await ask(incognito)).status).toBe(200);
      const again = await find();
      expect([again.message_count, again.generation > first.generation, again.incognito]).toEqual([2, true, incognito]);
    }
  });
});

it("OpenAI's SDKs can say it as a text, also for a session without a name", async () => {
  const body = { messages: [{ role: "user", content: QUESTION }], metadata: { incognito: "true" } };
  const { id: named } = await post("/v1/chat/completions", body);
  expect(await find(named!)).toMatchObject({ incognito: true });
  id = "by text";
  expect((await routes["POST /v1/chat/completions"]("false")).status).toBe(400);
  id = "by-text";
  expect((await routes["POST /v1/chat/completions"]("false")).status).toBe(200);
  expect(await find()).not.toHaveProperty("incognito");
});
