import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, DEFAULT_TTL, startApi } from "../support/start-api.ts";
import { NOON } from "../support/world.ts";

let api: Api;
let names = 0;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const fresh = () => `session-${names++}`;
const at = (milliseconds = api.world.stores.clock()) => new Date(milliseconds).toISOString();
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("creating a session", () => {
  it("without input gives it a time-ordered id and the default lifetime", async () => {
    const { status, headers, body } = await api.call("POST", "/v1/sessions");
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(UUID_V7),
      user_id: "ann",
      title: null,
      status: "active",
      created_at: at(),
      updated_at: at(),
      expires_at: at(NOON + DEFAULT_TTL * 1000),
      ttl_seconds: DEFAULT_TTL,
      pinned: false,
      message_count: 0,
      head_id: null,
      metadata: {},
    });
    expect(headers.location).toBe(`/v1/sessions/${body.id}`);
    expect((await api.get(headers.location!)).body).toEqual(body);
  });

  it("stores all fields of the input", async () => {
    const input = {
      id: "a:b@c=d+e.f_g-1",
      title: "Grüße 🐱",
      metadata: { deep: { list: [1, null, true, { "": "" }] }, big: 1e308, "a.b": "\u0000" },
      ttl_seconds: 90,
      created_at: "2020-02-29T23:30:00.5+02:00",
    };
    const { status, headers, body } = await api.post("/v1/sessions", input);
    expect([status, headers.location]).toEqual([201, "/v1/sessions/a%3Ab%40c%3Dd%2Be.f_g-1"]);
    expect(body).toMatchObject({ ...input, created_at: "2020-02-29T21:30:00.500Z", updated_at: at() });
    expect((await api.get(headers.location!)).body).toEqual(body);
  });

  it("accepts a time up to 24 hours in the future, also for its messages", async () => {
    const created_at = new Date(api.world.stores.clock() + 86_400_000).toISOString();
    const { status, body } = await api.post("/v1/sessions", { created_at });
    expect([status, body.created_at]).toEqual([201, created_at]);
    const message = { role: "user", content: "see you tomorrow", created_at };
    expect((await api.post(`/v1/sessions/${body.id}/messages`, message)).body.data[0].created_at).toBe(created_at);
  });

  it("gives it no expiry if it is pinned or has no lifetime", async () => {
    const pinned = await api.post("/v1/sessions", { pinned: true, ttl_seconds: 60 });
    expect(pinned.body).toMatchObject({ pinned: true, ttl_seconds: 60, expires_at: null });
    expect((await api.post("/v1/sessions", { ttl_seconds: 0 })).body.expires_at).toBeNull();
  });

  it("with an existing id is a conflict and changes nothing", async () => {
    const id = fresh();
    const { body } = await api.post("/v1/sessions", { id, title: "first" });
    const again = await api.post("/v1/sessions", { id, title: "second" });
    expect([again.status, again.body.code]).toEqual([409, "conflict"]);
    expect((await api.get(`/v1/sessions/${id}`)).body).toEqual(body);
  });

  it("accepts metadata of exactly 4 KB and a title of 500 characters", async () => {
    const metadata = { a: "x".repeat(4096 - '{"a":""}'.length) };
    const { status, body } = await api.post("/v1/sessions", { metadata, title: "é".repeat(500) });
    expect([status, body.metadata]).toEqual([201, metadata]);
  });

  it("a hundred times at the same time with one id creates one session", async () => {
    const id = fresh();
    const answers = await Promise.all(Array.from({ length: 20 }, () => api.post("/v1/sessions", { id })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(19).fill(409)]);
  });
});

describe("patching a session", () => {
  it("changes the given fields, keeps the others, and moves the expiry forward", async () => {
    const id = fresh();
    const created = await api.post("/v1/sessions", { id, title: "a", metadata: { a: 1 } });
    api.world.advance(5000);
    const { status, body } = await api.patch(`/v1/sessions/${id}`, { metadata: { b: 2 } });
    expect(status).toBe(200);
    expect(body).toEqual({
      ...created.body,
      metadata: { b: 2 },
      updated_at: at(),
      expires_at: at(api.world.stores.clock() + DEFAULT_TTL * 1000),
    });
    expect((await api.patch(`/v1/sessions/${id}`, { title: null })).body).toMatchObject({
      title: null,
      metadata: { b: 2 },
    });
  });

  it("pins, unpins, and changes the lifetime", async () => {
    const id = fresh();
    await api.post("/v1/sessions", { id });
    const now = api.world.stores.clock();
    const patch = async (body: object) => (await api.patch(`/v1/sessions/${id}`, body)).body;
    expect(await patch({ pinned: true })).toMatchObject({ pinned: true, expires_at: null });
    expect(await patch({ ttl_seconds: 30 })).toMatchObject({ pinned: true, ttl_seconds: 30, expires_at: null });
    expect(await patch({ pinned: false })).toMatchObject({ expires_at: at(now + 30_000) });
    expect(await patch({ ttl_seconds: 0 })).toMatchObject({ expires_at: null });
  });

  it("with If-Match changes only the version that it names", async () => {
    const id = fresh();
    const { headers } = await api.post("/v1/sessions", { id, title: "one" });
    const patch = (title: string, etag: string) =>
      api.patch(`/v1/sessions/${id}`, { title }, { headers: { "If-Match": etag } });
    const second = await patch("two", headers.etag!);
    expect([second.status, second.headers.etag === headers.etag]).toEqual([200, false]);
    const stale = await patch("three", headers.etag!);
    expect([stale.status, stale.body.code]).toEqual([412, "precondition_failed"]);
    expect((await api.get(`/v1/sessions/${id}`)).body.title).toBe("two");
    expect((await patch("four", `"x", ${second.headers.etag}`)).status).toBe(200);
    expect((await patch("five", "*")).status).toBe(200);
  });

  it("twenty times at the same time with one ETag succeeds once", async () => {
    const id = fresh();
    const { headers } = await api.post("/v1/sessions", { id });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        api.patch(`/v1/sessions/${id}`, { title: `${n}` }, { headers: { "if-match": headers.etag! } }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(412)]);
    const won = answers.find(({ status }) => status === 200);
    expect((await api.get(`/v1/sessions/${id}`)).body.title).toBe(won?.body.title);
  });
});

describe("the ETag", () => {
  it("stays the same until something is written", async () => {
    const id = fresh();
    const { headers } = await api.post("/v1/sessions", { id });
    const read = (etag: string) => api.get(`/v1/sessions/${id}`, { headers: { "If-None-Match": etag } });
    const unchanged = await read(headers.etag!);
    expect([unchanged.status, unchanged.text, unchanged.headers.etag]).toEqual([304, "", headers.etag]);
    expect((await read(`W/${headers.etag}, "other"`)).status).toBe(304);
    await api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "x" });
    const changed = await read(headers.etag!);
    expect([changed.status, changed.body.message_count]).toEqual([200, 1]);
  });
});

describe("resetting a session", () => {
  it("deletes its messages and keeps the rest", async () => {
    const id = fresh();
    const created = await api.post("/v1/sessions", { id, title: "kept", metadata: { kept: 1 } });
    await api.post(`/v1/sessions/${id}/messages`, { id: "m", role: "user", content: "old" });
    const { status, body } = await api.post(`/v1/sessions/${id}/reset`);
    expect([status, body]).toEqual([200, created.body]);
    expect((await api.get(`/v1/sessions/${id}/messages`)).body).toEqual({ data: [], next_cursor: null });
    expect(await api.world.hot("ann", id)).toEqual([]);
    // The id of a deleted message can be used again.
    const again = await api.post(`/v1/sessions/${id}/messages`, { id: "m", role: "user", content: "new" });
    expect(again.body.data[0].content).toBe("new");
  });
});

describe("deleting a session", () => {
  it("leaves nothing that can be read or written, and no items in the store", async () => {
    const id = fresh();
    await api.post("/v1/sessions", { id });
    await api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "secret" });
    const { status } = await api.del(`/v1/sessions/${id}`);
    expect(status).toBe(204);
    expect((await api.del(`/v1/sessions/${id}`)).status).toBe(404);
    expect((await api.get(`/v1/sessions/${id}`)).status).toBe(404);
    expect((await api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "x" })).status).toBe(404);
    expect(await api.world.hot("ann", id)).toEqual([]);
    const { body } = await api.get("/v1/sessions?limit=100");
    expect(body.data.map((session: { id: string }) => session.id)).not.toContain(id);
    expect((await api.post("/v1/sessions", { id })).body.message_count).toBe(0);
  });
});

describe("restoring a session that is active", () => {
  it("changes nothing", async () => {
    const id = fresh();
    const created = await api.post("/v1/sessions", { id });
    api.world.advance(1000);
    const { status, headers, body } = await api.post(`/v1/sessions/${id}/restore`);
    expect([status, headers.etag, body]).toEqual([200, created.headers.etag, created.body]);
  });
});
