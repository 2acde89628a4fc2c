import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createReconcileJob } from "../../functions/jobs/reconcile.ts";
import { type Api, pages, startApi } from "../support/start-api.ts";

let api: Api;
let names = 0;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const TTL = 60;
const WHERE = ["header", "limbo", "archived"] as const;

/**
 * The states of an expired session with three messages: its header still exists, or DynamoDB has deleted the header, or the
 * archiver has archived the session.
 */
async function expired(where: (typeof WHERE)[number]): Promise<string> {
  const id = `session-${names++}`;
  await api.post("/v1/sessions", { id, title: "t", metadata: { a: 1 }, ttl_seconds: TTL });
  for (const n of [0, 1, 2]) {
    await api.post(`/v1/sessions/${id}/messages`, { id: `m${n}`, role: "user", content: `message ${n}` });
    api.world.advance(1);
  }
  api.world.advance(TTL * 1000);
  if (where !== "header") {
    const record = await api.world.sweep("ann", id);
    if (where === "archived") await api.world.archiveJob({ Records: [record!] });
  }
  return id;
}

const contentsOf = (list: { content: string }[]) => list.map(({ content }) => content);
const read = async (id: string) => contentsOf((await pages(api, `/v1/sessions/${id}/messages?limit=2`)).flat());
const get = async (id: string) => (await api.get(`/v1/sessions/${id}`)).body;
const CONTENTS = ["message 0", "message 1", "message 2"];

/** In every state, the session is stored once and can be read. */
async function expectWhole(id: string, contents: string[]): Promise<void> {
  expect(await read(id)).toEqual(contents);
  expect((await get(id)).message_count).toBe(contents.length);
  const [hot, cold] = [await api.world.hot("ann", id), await api.world.cold("ann", id)];
  expect([hot, cold].filter((copy) => copy.length > 0)).toEqual(contents.length > 0 ? [contents] : []);
}

describe.each(WHERE)("an expired session (%s)", (where) => {
  it("is shown as archived", async () => {
    const id = await expired(where);
    expect(await get(id)).toMatchObject({
      id,
      title: "t",
      metadata: { a: 1 },
      status: "archived",
      expires_at: null,
      archived_at: expect.stringMatching(/^2026-/),
      ttl_seconds: TTL,
      message_count: 3,
    });
  });

  it("returns all messages: ascending, descending, by time, and from a cursor of the hot session", async () => {
    const id = `session-${names++}`;
    await api.post("/v1/sessions", { id, ttl_seconds: TTL });
    for (const n of [0, 1, 2]) {
      await api.post(`/v1/sessions/${id}/messages`, { role: "user", content: `message ${n}` });
      api.world.advance(1000);
    }
    const first = await api.get(`/v1/sessions/${id}/messages?limit=1`);
    const last = await api.get(`/v1/sessions/${id}/messages?limit=1&order=desc`);
    const from = first.body.data[0].created_at;
    const before = (await pages(api, `/v1/sessions/${id}/messages`)).flat();
    api.world.advance(TTL * 1000);
    const record = where === "header" ? null : await api.world.sweep("ann", id);
    if (where === "archived") await api.world.archiveJob({ Records: [record!] });
    const list = async (query: string) => contentsOf((await api.get(`/v1/sessions/${id}/messages?${query}`)).body.data);
    expect((await pages(api, `/v1/sessions/${id}/messages`)).flat()).toEqual(before);
    expect(await list(`cursor=${first.body.next_cursor}`)).toEqual(["message 1", "message 2"]);
    expect(await list(`order=desc&cursor=${last.body.next_cursor}`)).toEqual(["message 1", "message 0"]);
    expect(await list(`from=${from}&to=${before[1].created_at}`)).toEqual(["message 0"]);
    expect(await list("order=desc&limit=2")).toEqual(["message 2", "message 1"]);
  });

  it("is restored by an append, and still knows every message id", async () => {
    const id = await expired(where);
    const { status, body } = await api.post(`/v1/sessions/${id}/messages`, {
      messages: [
        { id: "m1", role: "user", content: "not again" },
        { id: "m3", role: "user", content: "message 3" },
      ],
    });
    expect([status, contentsOf(body.data)]).toEqual([201, ["message 1", "message 3"]]);
    expect(await get(id)).toMatchObject({ status: "active", title: "t", message_count: 4 });
    await expectWhole(id, [...CONTENTS, "message 3"]);
  });

  it("is restored with all messages, and a second restore changes nothing", async () => {
    const id = await expired(where);
    for (let n = 0; n < 2; n++) {
      const { status, body } = await api.post(`/v1/sessions/${id}/restore`);
      expect([status, body.status, body.message_count]).toEqual([200, "active", 3]);
      expect(body).not.toHaveProperty("archived_at");
    }
    await expectWhole(id, CONTENTS);
  });

  it("is restored once when ten requests append at the same time", async () => {
    const id = await expired(where);
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        api.post(`/v1/sessions/${id}/messages`, { role: "user", content: `late ${n}` }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(201));
    const contents = await read(id);
    expect(contents.slice(0, 3)).toEqual(CONTENTS);
    expect(contents.slice(3).sort()).toEqual(Array.from({ length: 10 }, (_, n) => `late ${n}`));
    await expectWhole(id, contents);
  });

  it("is active and empty after a reset", async () => {
    const id = await expired(where);
    const { status, body } = await api.post(`/v1/sessions/${id}/reset`);
    expect([status, body.status, body.message_count, body.title]).toEqual([200, "active", 0, "t"]);
    await expectWhole(id, []);
  });

  it("stays archived when it is patched, and a restore keeps the change", async () => {
    const id = await expired(where);
    const { status, body } = await api.patch(`/v1/sessions/${id}`, { title: "new", pinned: true });
    expect([status, body.status, body.title, body.pinned]).toEqual([200, "archived", "new", true]);
    expect(await get(id)).toMatchObject({ status: "archived", title: "new", message_count: 3 });
    const record = await api.world.sweep("ann", id);
    if (record) await api.world.archiveJob({ Records: [record] });
    expect((await api.post(`/v1/sessions/${id}/restore`)).body).toMatchObject({
      title: "new",
      pinned: true,
      expires_at: null,
    });
    await expectWhole(id, CONTENTS);
  });

  it("has its own ETag, which If-Match of a patch accepts", async () => {
    const id = await expired(where);
    const { headers } = await api.get(`/v1/sessions/${id}`);
    expect(headers.etag).toMatch(/^".+-archived"$/);
    const active = headers.etag!.replace("archived", "active");
    for (const [method, header, status] of [
      ["GET", "if-none-match", 200],
      ["PATCH", "if-match", 412],
    ] as const) {
      const body = method === "PATCH" ? { title: "x" } : undefined;
      const answer = await api.call(method, `/v1/sessions/${id}`, { body, headers: { [header]: active } });
      expect([method, answer.status]).toEqual([method, status]);
    }
    if (where === "limbo") return;
    const patched = await api.patch(`/v1/sessions/${id}`, { title: "x" }, { headers: { "if-match": headers.etag! } });
    expect(patched.status).toBe(200);
  });

  it("is deleted everywhere", async () => {
    const id = await expired(where);
    expect((await api.del(`/v1/sessions/${id}`)).status).toBe(204);
    expect((await api.get(`/v1/sessions/${id}`)).status).toBe(404);
    expect((await api.get(`/v1/sessions/${id}/messages`)).status).toBe(404);
    expect([await api.world.hot("ann", id), await api.world.cold("ann", id)]).toEqual([[], []]);
  });

  it("still occupies its id", async () => {
    const id = await expired(where);
    expect((await api.post("/v1/sessions", { id })).status).toBe(409);
    await expectWhole(id, CONTENTS);
  });

  it("is listed as archived while DynamoDB has its header or stub", async () => {
    const id = await expired(where);
    const listed = async (status: string) =>
      (await pages(api, `/v1/sessions?status=${status}&limit=100`)).flat().filter((session) => session.id === id);
    expect(await listed("active")).toEqual([]);
    const archived = await listed("archived");
    expect(await listed("all")).toEqual(archived);
    // For seconds after the header is deleted, until the stub is written, no index contains the session.
    expect(archived.map(({ status }) => status)).toEqual(where === "limbo" ? [] : ["archived"]);
  });
});

describe("the expiry of a session", () => {
  it("moves forward with every write, but not with reads", async () => {
    const id = `session-${names++}`;
    await api.post("/v1/sessions", { id, ttl_seconds: TTL });
    const writes = [
      () => api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "x" }),
      () => api.patch(`/v1/sessions/${id}`, { title: "x" }),
      () => api.post(`/v1/sessions/${id}/reset`),
    ];
    for (const write of writes) {
      api.world.advance((TTL - 1) * 1000);
      await write();
      expect((await get(id)).status).toBe("active");
    }
    api.world.advance((TTL - 1) * 1000);
    await read(id);
    await get(id);
    api.world.advance(1000);
    expect((await get(id)).status).toBe("archived");
  });

  it("never happens if the session is pinned or has no lifetime", async () => {
    const ids = [`session-${names++}`, `session-${names++}`];
    await api.post("/v1/sessions", { id: ids[0], pinned: true, ttl_seconds: 1 });
    await api.post("/v1/sessions", { id: ids[1], ttl_seconds: 0 });
    api.world.advance(1000 * 86_400_000);
    for (const id of ids) {
      expect(await api.world.sweep("ann", id!)).toBeNull();
      expect((await get(id!)).status).toBe("active");
    }
  });

  it("counts from the patch that sets the lifetime", async () => {
    const id = `session-${names++}`;
    await api.post("/v1/sessions", { id, ttl_seconds: 0 });
    api.world.advance(86_400_000);
    await api.patch(`/v1/sessions/${id}`, { ttl_seconds: 10 });
    api.world.advance(9000);
    expect((await get(id)).status).toBe("active");
    api.world.advance(1000);
    expect((await get(id)).status).toBe("archived");
  });
});

describe("the number of active sessions in /health", () => {
  const active = async () => (await api.get("/health", { user: null })).body.active_sessions;

  it("is right after every change that makes a session hot or archived", async () => {
    const before = await active();
    const id = await expired("limbo");
    // The archiver decreases the number.
    expect(await active()).toBe(before + 1);
    api.world.advance(2 * 3_600_000);
    await createReconcileJob(api.world.stores)({}, { getRemainingTimeInMillis: () => 600_000 });
    const after = await active();
    expect((await get(id)).status).toBe("archived");
    await api.post(`/v1/sessions/${id}/restore`);
    expect(await active()).toBe(after + 1);
    await api.post(`/v1/sessions/${id}/reset`);
    expect(await active()).toBe(after + 1);
    await api.del(`/v1/sessions/${id}`);
    expect(await active()).toBe(after);
    await Promise.all(Array.from({ length: 8 }, (_, n) => api.post("/v1/sessions", { id: `counted-${n % 4}` })));
    expect(await active()).toBe(after + 4);
    await Promise.all(Array.from({ length: 8 }, (_, n) => api.del(`/v1/sessions/counted-${n % 4}`)));
    expect(await active()).toBe(after);
  });
});
