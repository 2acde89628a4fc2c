import { paginateScan } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Listening } from "../../../infra/local/listen.ts";
import { deleteSession } from "../../../shared/session/delete-session.ts";
import { resetSession } from "../../../shared/session/reset-session.ts";
import { startChatServer } from "../../support/start-chat-server.ts";
import { useChat } from "../../support/use-chat.ts";

const SECRET = "zanzibar";
const HOUR = 3_600_000;

const t = useChat();
let api: Listening;
let count = 0;
let id = "";

beforeAll(async () => {
  api = await startChatServer(t.world, t.chat.deps);
});
beforeEach(async () => {
  id = `session-${count++}`;
  await t.world.create("ann", id, 86_400);
});
afterAll(async () => {
  await api.close();
});

async function post(path: string, body: object) {
  const response = await fetch(api.url + path, {
    method: "POST",
    headers: { authorization: "Bearer ann", "content-type": "application/json", "idempotency-key": `key-${id}` },
    body: JSON.stringify(body),
  });
  return {
    status: response.status,
    text: await response.text(),
    replayed: response.headers.get("idempotency-replayed"),
  };
}

const ways = {
  "POST /v1/sessions/{id}/chat": () => post(`/v1/sessions/${id}/chat`, { content: `I live in ${SECRET}` }),
  "POST /v1/sessions/{id}/chat, streamed": () =>
    post(`/v1/sessions/${id}/chat`, { content: `I live in ${SECRET}`, stream: true }),
  "POST /v1/chat/completions": () =>
    post("/v1/chat/completions", {
      model: "model-a",
      messages: [{ role: "user", content: `I live in ${SECRET}` }],
      metadata: { session_id: id },
    }),
};
const session = () => ({ user: "ann", id });

describe.each(Object.entries(ways))("a repeat of %s", (_name, send) => {
  it("returns the answer again from the session, because it is kept nowhere else", async () => {
    const first = await send();
    expect([first.status, first.text.includes(SECRET)]).toEqual([200, true]);
    const again = await send();
    expect([again.status, again.text.includes(SECRET), again.replayed]).toEqual([200, true, "true"]);
    for await (const { Items = [] } of paginateScan({ client: t.engines.dynamodb }, { TableName: "conversations" })) {
      const kept = Items.filter(({ pk }) => String(pk).endsWith("#K"));
      expect(JSON.stringify(kept)).not.toContain(SECRET);
    }
    expect(t.fake.requests).toHaveLength(1);
  });

  it.each([
    ["deleted", () => deleteSession(t.world.stores, session())],
    ["reset", () => resetSession(t.world.stores, session(), { seed: `reset ${id}` })],
  ])("is a 404 when the session was %s, and does not ask the model again", async (_what, remove) => {
    expect((await send()).status).toBe(200);
    await remove();
    for (const wait of [0, 2 * HOUR]) {
      t.world.advance(wait);
      const began = performance.now();
      const again = await send();
      expect([again.status, JSON.parse(again.text).code]).toEqual([404, "not_found"]);
      expect(performance.now() - began).toBeLessThan(4000);
    }
    expect(t.fake.requests).toHaveLength(1);
    expect(await t.world.hot("ann", id)).toEqual([]);
  });

  it("is a 404 when another session has the id now, and stores nothing in that session", async () => {
    expect((await send()).status).toBe(200);
    await deleteSession(t.world.stores, session());
    t.world.advance(2 * HOUR);
    await t.world.create("ann", id, 86_400, 1);
    expect((await send()).status).toBe(404);
    expect(await t.world.hot("ann", id)).toEqual([`message 0 of ${id}`]);
  });

  it("is a 404 when the session was deleted during the answer", async () => {
    t.fake.next({ perToken: 100 });
    const first = send();
    while (t.fake.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await deleteSession(t.world.stores, session());
    await first;
    expect((await send()).status).toBe(404);
    expect(await t.world.hot("ann", id)).toEqual([]);
  });
});

describe("a repeat of a turn whose first attempt was killed", () => {
  it("runs the turn, because the first attempt has stored no answer", async () => {
    const send = ways["POST /v1/sessions/{id}/chat"];
    await t.world.crashing(4, "before", send);
    t.world.advance(HOUR);
    expect((await send()).status).toBe(200);
  });
});
