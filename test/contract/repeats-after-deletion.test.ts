import { paginateScan } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keepSession, repeatSession } from "../../functions/sessions/session-response.ts";
import { operations } from "../../shared/http/operations.ts";
import { type Api, type Call, type Reply, startApi } from "../support/start-api.ts";

const SECRET = "zanzibar";
const HOUR = 3_600_000;

let api: Api;
let names = 0;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const fresh = (what: string) => `${what}-${names++}`;
const keyed = (more: Call = {}): Call => ({ ...more, headers: { "Idempotency-Key": fresh("key") } });
const message = { role: "user", content: `My passport is in ${SECRET}.`, metadata: { where: SECRET } };

/** A session with secret content, a message and its memory. */
async function prepare(more: object = {}): Promise<{ user: string; id: string }> {
  const user = fresh("user");
  const id = "s";
  await api.post("/v1/sessions", { id, title: SECRET, metadata: { about: SECRET }, ...more }, { user });
  await api.post("/v1/sessions/s/messages", message, { user });
  await api.world.deliver(user, id);
  return { user, id };
}

/** Every POST whose answer has content that can be deleted. Each entry returns the function that sends the request. */
const requests: Record<string, (user: string) => Promise<() => Promise<Reply>>> = {
  createSession: async (user) => {
    await api.del("/v1/sessions/s", { user });
    api.world.advance(2 * HOUR);
    const options = keyed({ user });
    return () => api.post("/v1/sessions", { id: "s", title: SECRET, metadata: { about: SECRET } }, options);
  },
  resetSession: async (user) => {
    const options = keyed({ user });
    return () => api.post("/v1/sessions/s/reset", undefined, options);
  },
  restoreSession: async (user) => {
    const options = keyed({ user });
    return () => api.post("/v1/sessions/s/restore", undefined, options);
  },
  appendMessages: async (user) => {
    const options = keyed({ user });
    return () => api.post("/v1/sessions/s/messages", { messages: [message, { ...message, id: "own" }] }, options);
  },
};

/** All idempotency records, as text. */
async function keptBytes(): Promise<string> {
  let text = "";
  for await (const { Items = [] } of paginateScan({ client: api.engines.dynamodb }, { TableName: "conversations" })) {
    for (const item of Items.filter(({ pk }) => String(pk).endsWith("#K"))) {
      text += JSON.stringify(item, (_name, value) =>
        value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
      );
    }
  }
  return text;
}

describe("a kept answer", () => {
  it("never has content, for every operation", async () => {
    const { user } = await prepare();
    const posts: Record<string, () => Promise<Reply>> = {
      ...Object.fromEntries(
        await Promise.all(
          Object.entries(requests).map(async ([id, start]) => [id, await start((await prepare()).user)] as const),
        ),
      ),
      searchMemories: () => api.post("/v1/memories/search", { query: "passport" }, keyed({ user })),
      createEvent: () =>
        api.post("/v1/events", { type: "custom", name: SECRET, metadata: { SECRET } }, keyed({ user })),
      createErasure: async () => api.post("/v1/erasures", undefined, keyed({ user: (await prepare()).user })),
      createExport: () => api.post("/v1/exports", undefined, keyed({ user })),
      createFile: () =>
        api.post("/v1/files", { filename: SECRET, media_type: "text/plain", bytes: 1 }, keyed({ user })),
      callMcp: () => {
        const params = { name: "search_memories", arguments: { query: "passport" } };
        return api.post("/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params }, keyed({ user }));
      },
      cleanupSessions: () =>
        api.post("/admin/cleanup-sessions?days=3650", undefined, keyed({ user, claims: { admin: "true" } })),
    };
    const ofTurns = ["chat", "createCompletion", "sendUiChat", "stopChat"];
    // A registration belongs to no user, so it has no Idempotency-Key.
    const ofNobody = ["registerClient"];
    const all = Object.entries(operations).filter(([, { method }]) => method === "POST");
    expect([...Object.keys(posts), ...ofTurns, ...ofNobody].sort()).toEqual(all.map(([id]) => id).sort());
    const contents: string[] = [];
    for (const send of Object.values(posts)) {
      const { status, text } = await send();
      expect(status).toBeLessThan(300);
      contents.push(text);
    }
    expect(contents.filter((text) => text.includes(SECRET)).length).toBeGreaterThanOrEqual(5);
    const kept = await keptBytes();
    expect(kept).toContain("locked_until");
    for (const secret of [SECRET, "passport"]) expect(kept).not.toContain(secret);
  });
});

describe.each(Object.entries(requests))("a repeat of %s", (name, start) => {
  it("returns the first answer if nothing was deleted, whatever else has changed", async () => {
    const { user } = await prepare();
    const send = await start(user);
    const first = await send();
    api.world.advance(60_000);
    if (name === "createSession") await api.patch("/v1/sessions/s", { title: "other" }, { user });
    await api.post("/v1/sessions/s/messages", { role: "user", content: "more" }, { user });
    const again = await send();
    expect([again.status, again.text]).toEqual([first.status, first.text]);
    expect(again.headers["idempotency-replayed"]).toBe("true");
  });

  it("returns the first answer after the session was archived, and after it was restored", async () => {
    const { user } = await prepare({ ttl_seconds: 60 });
    const send = await start(user);
    const first = await send();
    api.world.advance(name === "createSession" ? 2 * HOUR : 61_000);
    expect((await send()).text).toBe(first.text);
    await api.world.archiveJob({ Records: [(await api.world.sweep(user, "s"))!] });
    expect((await send()).text).toBe(first.text);
    await api.post("/v1/sessions/s/restore", undefined, { user });
    expect((await send()).text).toBe(first.text);
  });

  it("answers 404 after the session was deleted, and creates nothing", async () => {
    const { user } = await prepare();
    const send = await start(user);
    await send();
    await api.del("/v1/sessions/s", { user });
    for (const wait of [0, 2 * HOUR]) {
      api.world.advance(wait);
      const again = await send();
      expect([again.status, again.body.code]).toEqual([404, "not_found"]);
      expect(again.text).not.toContain(SECRET);
    }
    expect((await api.get("/v1/sessions/s", { user })).status).toBe(404);
  });

  it("answers 404 after another session took the id, and does not change that session", async () => {
    const { user } = await prepare();
    const send = await start(user);
    await send();
    const { created_at } = (await api.get("/v1/sessions/s", { user })).body;
    await api.del("/v1/sessions/s", { user });
    expect((await api.post("/v1/sessions", { id: "s", title: "another", created_at }, { user })).status).toBe(201);
    await api.post("/v1/sessions/s/messages", { role: "user", content: "another" }, { user });
    const before = await api.get("/v1/sessions/s", { user });
    expect((await send()).status).toBe(404);
    expect((await api.get("/v1/sessions/s", { user })).text).toBe(before.text);
  });
});

describe("the kept answer of a new session", () => {
  it("does not name a session that was created at the same time, after the answered one was deleted", async () => {
    const { user, id } = await prepare();
    const { stores } = api.world;
    const record = (await stores.sessions.find({ user, id }))!;
    expect((await keepSession(stores, record, stores.clock())).seed).not.toBe("");
    await api.del("/v1/sessions/s", { user });
    await api.post("/v1/sessions", { id: "s" }, { user });
    const kept = await keepSession(stores, record, stores.clock());
    expect(kept.seed).toBe("");
    await expect(repeatSession(stores, kept)).rejects.toMatchObject({ code: "not_found" });
  });
});

describe.each(["resetSession", "restoreSession"])("a repeat of %s", (name) => {
  it("returns the first answer after a reset, because the session is the same", async () => {
    const { user } = await prepare();
    const send = await requests[name]!(user);
    const first = await send();
    await api.post("/v1/sessions/s/reset", undefined, { user });
    expect((await send()).text).toBe(first.text);
  });
});

describe("a repeat of messages", () => {
  it("answers 404 after the session was reset, and does not store them again", async () => {
    const { user } = await prepare();
    const send = await requests.appendMessages!(user);
    await send();
    await api.post("/v1/sessions/s/reset", undefined, { user });
    expect((await send()).status).toBe(404);
    await api.post("/v1/sessions/s/messages", { id: "own", role: "user", content: "new" }, { user });
    expect((await send()).status).toBe(404);
    expect((await api.get("/v1/sessions/s", { user })).body.message_count).toBe(1);
  });

  it("returns messages that existed before the request as they were", async () => {
    const { user } = await prepare();
    await api.post("/v1/sessions/s/messages", { id: "own", role: "user", content: "earlier" }, { user });
    const send = await requests.appendMessages!(user);
    const first = await send();
    expect(first.body.data[1].content).toBe("earlier");
    api.world.advance(1000);
    expect((await send()).text).toBe(first.text);
  });

  it("finds many messages with the same time, and many with different times", async () => {
    const { user } = await prepare();
    const at = (n: number) => new Date(api.world.stores.clock() - n * 60_000).toISOString();
    const many = (times: (n: number) => string) =>
      Array.from({ length: 90 }, (_, n) => ({ role: "user", content: `${n}`, created_at: times(n) }));
    const same = many(() => at(7));
    for (const messages of [same, same, many((n) => at(n % 30))]) {
      const options = keyed({ user });
      const first = await api.post("/v1/sessions/s/messages", { messages }, options);
      expect(first.status).toBe(201);
      expect((await api.post("/v1/sessions/s/messages", { messages }, options)).text).toBe(first.text);
    }
  });
});

describe("a repeat of a search", () => {
  const search = (user: string, options: Call) =>
    api.post("/v1/memories/search", { query: "Where is my passport?" }, { ...options, user });
  async function searched() {
    const { user } = await prepare();
    await api.post("/v1/sessions/s/messages", { role: "user", content: "The passport is red." }, { user });
    await api.world.deliver(user, "s");
    const options = keyed();
    const first = await search(user, options);
    expect(first.body.data).toHaveLength(2);
    return { user, options, first };
  }

  it("returns the first answer, also after new memories were stored", async () => {
    const { user, options, first } = await searched();
    await api.post("/v1/sessions/s/messages", { role: "user", content: "My passport number is 7." }, { user });
    await api.world.deliver(user, "s");
    const again = await search(user, options);
    expect([again.text, again.headers["idempotency-replayed"]]).toEqual([first.text, "true"]);
  });

  it("leaves out a memory that was deleted", async () => {
    const { user, options, first } = await searched();
    const [best, other] = first.body.data;
    expect((await api.del(`/v1/memories/${best.id}`, { user })).status).toBe(204);
    expect((await search(user, options)).body.data).toEqual([other]);
  });

  it("does not find memories that are forgotten but not deleted yet", async () => {
    const { user, options } = await searched();
    const { memories } = api.world;
    expect(await memories.forgetAll(user, await memories.summary(user), api.world.stores.clock() + 1)).toBe(true);
    expect((await search(user, options)).body.data).toEqual([]);
  });

  it.each<[string, (user: string) => Promise<Reply>]>([
    ["all memories were deleted", (user) => api.del("/v1/memories", { user })],
    ["the session was deleted", (user) => api.del("/v1/sessions/s", { user })],
    ["the session was reset", (user) => api.post("/v1/sessions/s/reset", undefined, { user })],
  ])("finds nothing after %s", async (_what, remove) => {
    const { user, options } = await searched();
    api.world.advance(1000);
    expect((await remove(user)).status).toBeLessThan(300);
    expect((await search(user, options)).body.data).toEqual([]);
    await api.post("/v1/sessions", { id: "s" }, { user });
    expect((await search(user, options)).body.data).toEqual([]);
  });
});
