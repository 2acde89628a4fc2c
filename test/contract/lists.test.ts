import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, pages, startApi } from "../support/start-api.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const idsOf = (list: { id: string }[]) => list.map(({ id }) => id);
const contentsOf = (list: { content: string }[]) => list.map(({ content }) => content);
const COUNT = 47;
const names = (count: number) => Array.from({ length: count }, (_, n) => `s${String(n).padStart(4, "0")}`);

async function createAll(user: string, ids: string[], more: object = {}): Promise<void> {
  for (const id of ids) {
    await api.post("/v1/sessions", { id, ...more }, { user });
    api.world.advance(1);
  }
}

describe("a list of sessions", () => {
  it("is ordered by last activity, newest first, with 20 sessions per page by default", async () => {
    await createAll("lister", names(COUNT));
    const found = await pages(api, "/v1/sessions", { user: "lister" });
    expect(found.map((page) => page.length)).toEqual([20, 20, 7]);
    expect(idsOf(found.flat())).toEqual(names(COUNT).reverse());
    await api.patch("/v1/sessions/s0003", { title: "busy" }, { user: "lister" });
    api.world.advance(1);
    expect((await api.get("/v1/sessions?limit=1", { user: "lister" })).body.data[0]).toMatchObject({
      id: "s0003",
      title: "busy",
    });
    const oldest = await pages(api, "/v1/sessions?order=asc&limit=10", { user: "lister" });
    expect(idsOf(oldest.flat())).toEqual([...names(COUNT).filter((id) => id !== "s0003"), "s0003"]);
  });

  it.each([1, 23, 46, 47, 48, 100])("returns every session once in pages of %i", async (limit) => {
    const found = await pages(api, `/v1/sessions?limit=${limit}`, { user: "lister" });
    expect(new Set(idsOf(found.flat())).size).toBe(COUNT);
    expect(found.flat()).toHaveLength(COUNT);
    expect(found).toHaveLength(Math.ceil(COUNT / limit));
  });

  it("contains only the pinned sessions when asked for them, however old they are", async () => {
    const user = "pinner";
    await createAll(user, ["old", "older"], { pinned: true });
    await createAll(user, names(3));
    const { body } = await api.get("/v1/sessions?pinned=true&limit=1", { user });
    expect(idsOf(body.data)).toEqual(["older"]);
    const next = await api.get(`/v1/sessions?pinned=true&limit=1&cursor=${body.next_cursor}`, { user });
    expect([idsOf(next.body.data), next.body.next_cursor]).toEqual([["old"], null]);
    expect((await api.get("/v1/sessions?pinned=false", { user })).body.errors).toMatchObject([{ path: "pinned" }]);
    const other = await api.get(`/v1/sessions?limit=1&cursor=${body.next_cursor}`, { user });
    expect(other.status).toBe(400);
  });

  it("contains only sessions whose last activity is at or after `from` and before `to`", async () => {
    const { body } = await api.get("/v1/sessions?order=asc&limit=100", { user: "lister" });
    const times = body.data.map((session: { updated_at: string }) => session.updated_at);
    const list = async (query: string) =>
      (await api.get(`/v1/sessions?${query}&order=asc&limit=100`, { user: "lister" })).body;
    expect(idsOf((await list(`from=${times[10]}&to=${times[20]}`)).data)).toEqual(idsOf(body.data.slice(10, 20)));
    expect(idsOf((await list(`from=${times[40]}`)).data)).toEqual(idsOf(body.data.slice(40)));
    expect(idsOf((await list(`to=${times[3]}`)).data)).toEqual(idsOf(body.data.slice(0, 3)));
    expect(await list(`from=${times[20]}&to=${times[21].replace("Z", "%2B05:00")}`).catch(() => null)).toMatchObject({
      errors: [{ path: "to" }],
    });
  });

  it("returns each existing session once while other sessions are created, changed and deleted", async () => {
    const ids = names(30);
    await createAll("busy", ids);
    const stay = ids.filter((_, n) => n % 3 !== 0);
    const found = await pages(api, "/v1/sessions?limit=4", {
      user: "busy",
      between: async (page) => {
        await createAll("busy", [`new-${page}`]);
        const gone = ids.filter((_, n) => n % 3 === 0)[page];
        if (gone) await api.del(`/v1/sessions/${gone}`, { user: "busy" });
        await api.patch("/v1/sessions/s0029", { title: `${page}` }, { user: "busy" });
        api.world.advance(1);
      },
    });
    const seen = idsOf(found.flat());
    expect(seen.filter((id) => stay.includes(id)).sort()).toEqual(stay);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it("continues after the session of the cursor was deleted", async () => {
    await createAll("gone", names(6));
    const first = await api.get("/v1/sessions?limit=2&order=asc", { user: "gone" });
    await api.del("/v1/sessions/s0001", { user: "gone" });
    const next = await api.get(`/v1/sessions?limit=2&order=asc&cursor=${first.body.next_cursor}`, { user: "gone" });
    expect(idsOf(next.body.data)).toEqual(["s0002", "s0003"]);
  });

  it("refuses the cursor of another user, query or list", async () => {
    const { next_cursor: cursor } = (await api.get("/v1/sessions?limit=2", { user: "lister" })).body;
    const refused = async (url: string, user = "lister") => {
      const { status, body } = await api.get(url, { user });
      expect([status, body.code]).toEqual([400, "invalid_cursor"]);
    };
    await refused(`/v1/sessions?cursor=${cursor}`, "busy");
    await refused(`/v1/sessions?cursor=${cursor}&order=asc`);
    await refused(`/v1/sessions?cursor=${cursor}&status=active`);
    await refused(`/v1/sessions?cursor=${cursor}&from=2026-01-01T00:00:00Z`);
    await refused(`/v1/sessions/s0000/messages?cursor=${cursor}`);
    await refused(`/v1/sessions?cursor=${cursor.slice(0, -4)}`);
    // The limit is not part of the query.
    expect((await api.get(`/v1/sessions?cursor=${cursor}&limit=5`, { user: "lister" })).body.data).toHaveLength(5);
  });

  it("refuses a forged cursor that points outside the query", async () => {
    const url = "/v1/sessions?limit=1&to=2026-11-21T12:00:00.010Z";
    const { next_cursor } = (await api.get(url, { user: "lister" })).body;
    const [binding, , id] = JSON.parse(Buffer.from(next_cursor, "base64url").toString());
    const forge = (...parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString("base64url");
    for (const made of [
      forge(binding, "2030-01-01T00:00:00.000Z", id),
      forge(binding, "2026-11-21T12:00:00.005Z", "no id"),
      forge(binding, "2026-11-21T12:00:00.005Z"),
      forge(binding, "now", id),
    ]) {
      const { status, body } = await api.get(`${url}&cursor=${made}`, { user: "lister" });
      expect([status, body.code]).toEqual([400, "invalid_cursor"]);
    }
  });

  it("finds the few sessions of a status among many others", async () => {
    const { sessions, clock } = api.world.stores;
    const ids = names(600);
    for (let n = 0; n < ids.length; n += 50) {
      await Promise.all(ids.slice(n, n + 50).map((id) => api.world.create("many", id, 60)));
    }
    api.world.advance(30_000);
    for (const id of ["s0010", "s0300", "s0550"]) {
      await api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "still here" }, { user: "many" });
      api.world.advance(1);
    }
    api.world.advance(40_000);
    const active = await pages(api, "/v1/sessions?status=active&limit=2", { user: "many" });
    expect(idsOf(active.flat())).toEqual(["s0550", "s0300", "s0010"]);
    const archived = await pages(api, "/v1/sessions?status=archived&limit=100", { user: "many" });
    expect(new Set(idsOf(archived.flat())).size).toBe(597);
    expect(archived.flat()).toHaveLength(597);
    expect(archived.flat().every(({ status, expires_at }) => status === "archived" && expires_at === null)).toBe(true);
    const all = await sessions.list("many", { status: "all", order: "desc", limit: 100, now: clock() });
    expect(all.records).toHaveLength(100);
  });
});

describe("a list of messages", () => {
  const append = (content: string, more: object = {}) =>
    api.post("/v1/sessions/chat/messages", { role: "user", content, ...more }, { user: "talker" });

  it("is ordered by time, oldest first by default", async () => {
    await api.post("/v1/sessions", { id: "chat" }, { user: "talker" });
    for (let n = 0; n < COUNT; n++) {
      await append(`${n}`);
      if (n % 3 === 0) api.world.advance(1);
    }
    const contents = Array.from({ length: COUNT }, (_, n) => `${n}`);
    for (const limit of [1, 20, 46, 47, 100]) {
      const up = await pages(api, `/v1/sessions/chat/messages?limit=${limit}`, { user: "talker" });
      expect(new Set(contentsOf(up.flat()))).toEqual(new Set(contents));
      expect(up.flat()).toHaveLength(COUNT);
      const down = await pages(api, `/v1/sessions/chat/messages?limit=${limit}&order=desc`, { user: "talker" });
      expect(down.flat()).toEqual(up.flat().reverse());
    }
  });

  it("returns each existing message once while others are appended", async () => {
    for (const order of ["asc", "desc"]) {
      const before = contentsOf((await pages(api, "/v1/sessions/chat/messages?limit=100", { user: "talker" })).flat());
      let more = 0;
      const found = await pages(api, `/v1/sessions/chat/messages?limit=7&order=${order}`, {
        user: "talker",
        between: async () => {
          if (more++ < 5) await append(`${order} ${more}`);
          await append(`early ${order} ${more}`, { created_at: "2020-01-01T00:00:00Z" });
        },
      });
      const seen = contentsOf(found.flat());
      expect(seen.filter((content) => before.includes(content)).sort()).toEqual(before.sort());
      expect(new Set(seen).size).toBe(seen.length);
    }
  });

  it("orders messages by the times that clients give", async () => {
    const user = "timer";
    await api.post("/v1/sessions", { id: "chat" }, { user });
    const times = [
      "2026-03-01T00:00:00.000Z",
      "2026-01-01T00:00:00.000Z",
      "2026-02-01T00:00:00.000Z",
      "2026-01-01T00:00:00.000Z",
    ];
    await api.post(
      "/v1/sessions/chat/messages",
      { messages: times.map((created_at, n) => ({ role: "user", content: `${n}`, created_at })) },
      { user },
    );
    const list = async (query = "") =>
      contentsOf((await api.get(`/v1/sessions/chat/messages${query}`, { user })).body.data);
    expect(await list()).toEqual(["1", "3", "2", "0"]);
    expect(await list("?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z")).toEqual(["1", "3"]);
    expect(await list("?from=2026-01-01T00:00:00.001Z")).toEqual(["2", "0"]);
    expect(await list("?to=2026-02-01T01:00:00%2B01:00&order=desc")).toEqual(["3", "1"]);
    expect(await list("?from=2027-01-01T00:00:00Z")).toEqual([]);
  });

  it("has pages that fit into Lambda's answer, however large the messages are", async () => {
    const user = "writer";
    await api.post("/v1/sessions", { id: "long" }, { user });
    const texts = ["x", "\u0001", '"', "é"].map((char) => char.repeat((300 * 1024) / Buffer.byteLength(char)));
    for (let n = 0; n < 12; n++) {
      const content = texts[n % texts.length]!;
      expect((await api.post("/v1/sessions/long/messages", { role: "user", content }, { user })).status).toBe(201);
    }
    for (const order of ["asc", "desc"]) {
      const sizes: number[] = [];
      let cursor: string | null = "";
      let count = 0;
      while (cursor !== null) {
        const url = `/v1/sessions/long/messages?limit=100&order=${order}${cursor ? `&cursor=${cursor}` : ""}`;
        const answer = await api.get(url, { user });
        sizes.push(JSON.stringify({ body: answer.text }).length);
        count += answer.body.data.length;
        cursor = answer.body.next_cursor;
      }
      expect(count).toBe(12);
      expect(Math.max(...sizes)).toBeLessThan(6_000_000);
    }
  });
});
