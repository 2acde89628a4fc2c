import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createReconcileJob } from "../../functions/jobs/reconcile.ts";
import { type Api, startApi } from "../support/start-api.ts";

let api: Api;
let names = 0;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const TTL = 60;

/** An incognito session with two messages. */
async function begin(more: object = {}): Promise<string> {
  const id = `incognito-${names++}`;
  const body = { id, title: "t", incognito: true, ttl_seconds: TTL, ...more };
  expect((await api.post("/v1/sessions", body)).status).toBe(201);
  const messages = ["one", "two"].map((content) => ({ role: "user", content }));
  expect((await api.post(`/v1/sessions/${id}/messages`, { messages })).status).toBe(201);
  return id;
}

const listed = async (query = "status=all") => (await api.get(`/v1/sessions?limit=100&${query}`)).body.data;
const find = async (id: string, query?: string) => (await listed(query)).find((one: { id: string }) => one.id === id);

describe("an incognito session", () => {
  it("is marked in every answer that shows it", async () => {
    const created = await api.post("/v1/sessions", { id: "marked", incognito: true });
    expect(created).toMatchObject({ status: 201, body: { incognito: true, status: "active" } });
    expect((await api.get("/v1/sessions/marked")).body).toEqual(created.body);
    for (const query of ["status=all", "status=active"]) expect(await find("marked", query)).toEqual(created.body);
    expect(await find("marked", "status=archived")).toBeUndefined();
    expect((await api.patch("/v1/sessions/marked", { title: "new" })).body).toMatchObject({ incognito: true });
    await api.post("/v1/sessions/marked/messages", { role: "user", content: "hello" });
    expect((await api.post("/v1/sessions/marked/reset")).body).toMatchObject({ incognito: true, message_count: 0 });
    expect((await api.post("/v1/sessions/marked/restore")).body).toMatchObject({ incognito: true });
  });

  it("is shown by the Model Context Protocol with its mark", async () => {
    const id = await begin();
    const rpc = async (method: string, params: object) => {
      const { body } = await api.post("/mcp", { jsonrpc: "2.0", id: 1, method, params });
      return body.result;
    };
    const { structuredContent } = await rpc("tools/call", { name: "list_sessions", arguments: { limit: 50 } });
    const shown = structuredContent.sessions.find((one: { id: string }) => one.id === id);
    expect(shown).toMatchObject({ incognito: true });
    const { contents } = await rpc("resources/read", { uri: `memocha://sessions/${id}` });
    expect(JSON.parse(contents[0].text).session).toMatchObject({ id, incognito: true });
  });

  it("can be chosen only at its creation, by true or false", async () => {
    const id = await begin();
    for (const incognito of [true, false]) {
      const { status, body } = await api.patch(`/v1/sessions/${id}`, { title: "t", incognito });
      expect([status, body.errors]).toEqual([400, [{ path: "incognito", message: expect.any(String) }]]);
    }
    expect((await api.get(`/v1/sessions/${id}`)).body).toMatchObject({ incognito: true });
    for (const incognito of ["true", 1, null, {}]) {
      const { status, body } = await api.post("/v1/sessions", { id: "wrong", incognito });
      expect([status, body.errors]).toEqual([400, [{ path: "incognito", message: expect.any(String) }]]);
    }
    expect((await api.get("/v1/sessions/wrong")).status).toBe(404);
  });

  it.each([{}, { incognito: false }])("has no mark when it is an ordinary one: created with %j", async (more) => {
    const { body } = await api.post("/v1/sessions", more);
    expect(body).not.toHaveProperty("incognito");
    expect((await api.get(`/v1/sessions/${body.id}`)).body).toEqual(body);
    expect(await find(body.id)).toEqual(body);
  });

  it.each([{ pinned: true }, { ttl_seconds: 0 }])("does not expire with %j", async (more) => {
    const id = await begin(more);
    api.world.advance(400 * 86_400_000);
    expect(await find(id)).toMatchObject({ id, incognito: true, status: "active" });
    expect((await api.get(`/v1/sessions/${id}/messages`)).body.data).toHaveLength(2);
    await api.patch(`/v1/sessions/${id}`, { pinned: false, ttl_seconds: TTL });
    api.world.advance(TTL * 1000);
    expect((await api.get(`/v1/sessions/${id}`)).status).toBe(404);
  });
});

const STAGES = ["its header is still stored", "DynamoDB has deleted its header", "it is deleted"] as const;

describe.each(STAGES)("an expired incognito session, when %s,", (stage) => {
  async function expired(more: object = {}): Promise<string> {
    const id = await begin(more);
    api.world.advance(TTL * 1000);
    if (stage === STAGES[0]) return id;
    const record = await api.world.sweep("ann", id);
    if (stage === STAGES[2])
      expect(await api.world.archiveJob({ Records: [record!] })).toEqual({ batchItemFailures: [] });
    return id;
  }

  it("does not exist for any route, and no route restores it", async () => {
    const id = await expired();
    const path = `/v1/sessions/${id}`;
    const answers = [
      await api.get(path),
      await api.get(`${path}/messages`),
      await api.get(`${path}/messages?order=desc`),
      await api.patch(path, { title: "again" }),
      await api.post(`${path}/messages`, { role: "user", content: "again" }),
      await api.post(`${path}/messages`, { role: "user", content: "again", parent_id: null }),
      await api.post(`${path}/restore`),
      await api.post(`${path}/reset`),
      await api.post("/v1/events", { type: "feedback", value: 1, session_id: id }),
      await api.del(path),
    ];
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 404));
    for (const query of ["status=all", "status=active", "status=archived"])
      expect(await find(id, query)).toBeUndefined();
    expect(await api.world.cold("ann", id)).toEqual([]);
  });

  it("frees its id for a session of either kind, which no late step deletes", async () => {
    for (const incognito of [true, false]) {
      const id = await expired();
      expect((await api.post("/v1/sessions", { id, incognito, ttl_seconds: 86_400 })).status).toBe(201);
      await api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "later" });
      for (let n = 0; n < 3; n++) {
        await createReconcileJob(api.world.stores)({}, { getRemainingTimeInMillis: () => 600_000 });
        api.world.advance(2 * 3_600_000);
      }
      expect(await api.world.hot("ann", id)).toEqual(["later"]);
      expect((await api.get(`/v1/sessions/${id}`)).body).toMatchObject({ message_count: 1, title: null });
    }
  });

  it("is not returned to a repeat of the requests that created it and wrote to it", async () => {
    const headers = { "idempotency-key": `key-${names}` };
    const body = { id: `repeated-${names++}`, title: "secret", incognito: true, ttl_seconds: TTL };
    await api.post("/v1/sessions", body, { headers });
    const said = { role: "user", content: "secret" };
    const path = `/v1/sessions/${body.id}/messages`;
    await api.post(path, said, { headers: { "idempotency-key": `${headers["idempotency-key"]}-said` } });
    api.world.advance(TTL * 1000);
    if (stage !== STAGES[0]) {
      const record = await api.world.sweep("ann", body.id);
      if (stage === STAGES[2]) await api.world.archiveJob({ Records: [record!] });
    }
    const created = await api.post("/v1/sessions", body, { headers });
    const repeated = await api.post(path, said, {
      headers: { "idempotency-key": `${headers["idempotency-key"]}-said` },
    });
    expect([created.status, repeated.status]).toEqual([404, 404]);
    expect(created.text + repeated.text).not.toContain("secret");
  });
});

describe("an event about an incognito session", () => {
  it("is counted, and has no data of the session, also in the answer to a repeat", async () => {
    const id = await begin();
    const body = {
      type: "feedback",
      name: "thumb",
      value: 1,
      session_id: id,
      message_id: "m",
      metadata: { said: "secret" },
    };
    const headers = { "idempotency-key": "an-event" };
    const first = await api.post("/v1/events", body, { headers });
    const counted = {
      id: expect.any(String),
      type: "feedback",
      name: "thumb",
      value: 1,
      created_at: expect.any(String),
    };
    expect([first.status, first.body]).toEqual([201, counted]);
    expect((await api.post("/v1/events", body, { headers })).body).toEqual(first.body);
  });
});
