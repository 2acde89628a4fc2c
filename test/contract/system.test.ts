import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { operations } from "../../shared/http/operations.ts";
import { type Api, startApi, VERSION } from "../support/start-api.ts";

let api: Api;
let names = 0;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

describe("GET /health", () => {
  it("needs no token and reports every store as connected", async () => {
    const { status, body } = await api.get("/health", { user: null });
    expect(status).toBe(200);
    expect(body).toEqual({
      status: "ok",
      dynamodb: "connected",
      archive: "connected",
      active_sessions: 0,
      version: VERSION,
    });
  });

  it("counts active sessions at the same cost however many there are", async () => {
    for (let n = 0; n < 30; n++) await api.post("/v1/sessions", {});
    api.world.advance(5000);
    expect(await api.world.counting(() => api.get("/health", { user: null }))).toBe(3);
    expect(await api.world.counting(() => api.get("/health", { user: null }))).toBe(2);
    expect((await api.get("/health", { user: null })).body.active_sessions).toBe(30);
  });
});

describe("GET /openapi.json", () => {
  it("needs no token and documents exactly the served operations", async () => {
    const { status, body } = await api.get("/openapi.json", { user: null });
    expect([status, body.openapi, body.info.version]).toEqual([200, "3.1.0", VERSION]);
    const documented = Object.entries(body.paths).flatMap(([path, methods]) =>
      Object.keys(methods as object).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const served = Object.values(operations).map(({ method, path }) => `${method} ${path}`);
    expect(documented.sort()).toEqual(served.sort());
  });

  it("describes access, requests and answers", async () => {
    const { paths, components } = (await api.get("/openapi.json", { user: null })).body;
    expect(paths["/health"].get.security).toEqual([]);
    const list = paths["/v1/sessions"].get;
    expect(list.security).toBeUndefined();
    expect(list.parameters).toContainEqual({
      in: "query",
      name: "limit",
      schema: { type: "integer", minimum: 1, maximum: 100, default: 20 },
    });
    expect(Object.keys(paths["/v1/sessions/{id}"].patch.responses)).toEqual(
      expect.arrayContaining(["200", "400", "401", "404", "412", "429", "503"]),
    );
    expect(Object.keys(paths["/v1/sessions"].post.responses)).toEqual(expect.arrayContaining(["201", "409", "422"]));
    expect(Object.keys(components.schemas)).toEqual(expect.arrayContaining(["Session", "Message", "Problem"]));
    // Every reference has a target.
    const text = JSON.stringify(paths);
    for (const [, name] of text.matchAll(/#\/components\/schemas\/(\w+)/g))
      expect(components.schemas).toHaveProperty([name!]);
  });
});

describe("POST /admin/cleanup-sessions", () => {
  const DAY = 86_400_000;
  const cleanup = (days?: number) =>
    api.post(`/admin/cleanup-sessions${days === undefined ? "" : `?days=${days}`}`, undefined, {
      user: "root",
      claims: { admin: "true" },
    });
  const create = async (more: object = {}) => {
    const id = `cleaned-${names++}`;
    await api.post("/v1/sessions", { id, ttl_seconds: 0, ...more }, { user: `user-${names % 3}` });
    return { id, user: `user-${names % 3}` };
  };
  const statusOf = async ({ id, user }: { id: string; user: string }) =>
    (await api.get(`/v1/sessions/${id}`, { user })).body.status;

  it("expires the sessions of all users that have been idle for longer, and no pinned one", async () => {
    await cleanup(0);
    const idle = [await create(), await create(), await create({ ttl_seconds: 90 * 86_400 })];
    const pinned = await create({ pinned: true });
    const busy = await create();
    api.world.advance(6 * DAY);
    await api.post(`/v1/sessions/${busy.id}/messages`, { role: "user", content: "x" }, { user: busy.user });
    expect((await cleanup()).body).toEqual({ expired: 0, complete: true });
    api.world.advance(DAY);
    const { status, body } = await cleanup();
    expect([status, body]).toEqual([200, { expired: 3, complete: true }]);
    for (const session of idle) expect(await statusOf(session)).toBe("archived");
    expect([await statusOf(pinned), await statusOf(busy)]).toEqual(["active", "active"]);
    expect((await cleanup()).body.expired).toBe(0);
    // These sessions are archived like sessions that expire by themselves.
    const record = await api.world.sweep(idle[0]!.user, idle[0]!.id);
    await api.world.archiveJob({ Records: [record!] });
    expect(await statusOf(idle[0]!)).toBe("archived");
    expect((await cleanup(3650)).body.expired).toBe(0);
    expect((await cleanup(1.5)).body.expired).toBe(0);
    expect((await cleanup(0.5)).body.expired).toBe(1);
    expect(await statusOf(busy)).toBe("archived");
  });

  it("counts the sessions in a preview, and expires none", async () => {
    await cleanup(0);
    const idle = await create();
    api.world.advance(8 * DAY);
    const preview = () =>
      api.post("/admin/cleanup-sessions?preview=true", undefined, { user: "root", claims: { admin: "true" } });
    expect((await preview()).body).toEqual({ expired: 1, complete: true });
    expect(await statusOf(idle)).toBe("active");
    expect((await cleanup()).body.expired).toBe(1);
  });

  it("reports that it ran out of time, and continues with the next call", async () => {
    const ids = await Promise.all(Array.from({ length: 150 }, () => create()));
    const { expireIdle } = await import("../../shared/session/expire-idle.ts");
    const { stores } = api.world;
    let reads = 0;
    const clock = () => stores.clock() + reads;
    const sessions = {
      ...stores.sessions,
      findMany: async (batch: Parameters<typeof stores.sessions.findMany>[0]) => {
        reads = 1;
        return stores.sessions.findMany(batch);
      },
    };
    const first = await expireIdle({ sessions, clock }, stores.clock(), stores.clock());
    expect(first.complete).toBe(false);
    expect(first.expired).toBeGreaterThan(0);
    expect(first.expired).toBeLessThan(ids.length);
    expect((await cleanup(0)).body).toEqual({ expired: ids.length - first.expired, complete: true });
  });

  it("does not expire sessions that are written to at the same time", async () => {
    const session = await create();
    const { expireIdle } = await import("../../shared/session/expire-idle.ts");
    const { stores } = api.world;
    const sessions = {
      ...stores.sessions,
      findMany: async (batch: Parameters<typeof stores.sessions.findMany>[0]) => {
        const found = await stores.sessions.findMany(batch);
        if (batch.some(({ id }) => id === session.id)) {
          await api.post(`/v1/sessions/${session.id}/messages`, { role: "user", content: "x" }, { user: session.user });
        }
        return found;
      },
    };
    await expireIdle({ sessions, clock: stores.clock }, stores.clock(), stores.clock() + 60_000);
    expect(await statusOf(session)).toBe("active");
  });
});
