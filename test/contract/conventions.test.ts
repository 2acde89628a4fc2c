import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, ORIGIN, startApi } from "../support/start-api.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
  await api.post("/v1/sessions", { id: "hers" });
});
afterAll(() => api.close());

const ROUTES: [string, string, unknown?][] = [
  ["GET", "/v1/sessions/hers"],
  ["PATCH", "/v1/sessions/hers", { title: "mine now" }],
  ["DELETE", "/v1/sessions/hers"],
  ["POST", "/v1/sessions/hers/reset"],
  ["POST", "/v1/sessions/hers/restore"],
  ["GET", "/v1/sessions/hers/messages"],
  ["POST", "/v1/sessions/hers/messages", { role: "user", content: "hello" }],
];

describe("access control", () => {
  const others: typeof ROUTES = [
    ["GET", "/v1/sessions"],
    ["POST", "/v1/sessions"],
    ["POST", "/admin/cleanup-sessions"],
  ];
  it.each([...ROUTES, ...others])(
    "%s %s is refused without a token, and with a token that expired after the authorizer checked it",
    async (method, path, body) => {
      const now = Math.floor(api.world.stores.clock() / 1000);
      const expired = await api.call(method, path, { body, claims: { exp: String(now) } });
      expect([expired.status, expired.body.code, expired.headers["www-authenticate"]]).toEqual([
        401,
        "unauthorized",
        "Bearer",
      ]);
      expect((await api.call(method, path, { body, user: null })).status).toBe(401);
      expect((await api.call(method, path, { body, claims: { exp: "" } })).status).toBe(401);
    },
  );

  it.each(ROUTES)(
    "%s %s answers 404 for another user's session, as for a session that does not exist",
    async (method, path, body) => {
      const foreign = await api.call(method, path, { body, user: "bob" });
      const absent = await api.call(method, path.replace("hers", "nobodys"), { body, user: "bob" });
      expect(foreign.status).toBe(404);
      expect({ ...foreign.body, request_id: "" }).toEqual({ ...absent.body, request_id: "" });
    },
  );

  it("two users can have sessions with the same id", async () => {
    expect((await api.post("/v1/sessions", { id: "hers" }, { user: "bob" })).status).toBe(201);
    expect((await api.get("/v1/sessions", { user: "bob" })).body.data).toHaveLength(1);
    expect((await api.get("/v1/sessions/hers")).body.user_id).toBe("ann");
  });

  it("admin routes accept only tokens of the group admin", async () => {
    for (const admin of ["", "false", "admin", "TRUE"]) {
      const { status, body } = await api.post("/admin/cleanup-sessions", undefined, { claims: { admin } });
      expect([status, body.code]).toEqual([403, "forbidden"]);
    }
    expect((await api.post("/admin/cleanup-sessions", undefined, { claims: { admin: "true" } })).status).toBe(200);
  });

  it("a token with the scope act-as reaches only the sessions of the user in X-User-Id", async () => {
    const backend = { user: "backend", headers: { "X-User-Id": "ann" } };
    expect((await api.get("/v1/sessions/hers", { ...backend, claims: { act_as: "true" } })).body.user_id).toBe("ann");
    expect((await api.get("/v1/sessions/hers", { user: "backend", claims: { act_as: "true" } })).status).toBe(404);
    for (const act_as of ["", "false", "act-as", "TRUE"]) {
      expect((await api.get("/v1/sessions/hers", { ...backend, claims: { act_as } })).status).toBe(403);
    }
  });

  it.each(["", "x".repeat(256), "ann\ud800"])("an invalid X-User-Id is refused: %#", async (name) => {
    const { status, body } = await api.get("/v1/sessions", {
      claims: { act_as: "true" },
      headers: { "x-user-id": name },
    });
    expect([status, body.errors[0].path]).toEqual([400, "X-User-Id"]);
  });

  it.each(["ann#S#hers", "U#ann", "a%23b", "../ann", "ünï 🐱", "x".repeat(255), "🐱".repeat(127), "a b\tc", ".", ".."])(
    "a user with the id %j has separate sessions, hot and archived",
    async (user) => {
      const created = await api.post("/v1/sessions", { id: "hers", title: user, ttl_seconds: 60 }, { user });
      expect([created.status, created.body.user_id]).toEqual([201, user]);
      await api.post("/v1/sessions/hers/messages", { role: "user", content: `of ${user}` }, { user });
      const contents = async () => {
        const { body } = await api.get("/v1/sessions/hers/messages", { user });
        return body.data.map((message: { content: string }) => message.content);
      };
      expect(await contents()).toEqual([`of ${user}`]);
      expect((await api.get("/v1/sessions", { user })).body.data).toHaveLength(1);
      api.world.advance(61_000);
      const { batchItemFailures } = await api.world.archiveJob({ Records: [(await api.world.sweep(user, "hers"))!] });
      expect([batchItemFailures, await contents()]).toEqual([[], [`of ${user}`]]);
    },
  );
});

describe("every answer", () => {
  it("is readable by web pages of the configured origins only", async () => {
    const allowed = await api.get("/v1/sessions/hers", { headers: { Origin: ORIGIN } });
    expect(allowed.headers["access-control-allow-origin"]).toBe(ORIGIN);
    expect(allowed.headers["access-control-expose-headers"]).toContain("x-request-id");
    const refused = await api.get("/v1/sessions/hers", { headers: { origin: "https://evil.example.com" } });
    expect(refused.headers["access-control-allow-origin"]).toBeUndefined();
    const problem = await api.get("/v1/sessions/none", { headers: { origin: ORIGIN } });
    expect(problem.headers["access-control-allow-origin"]).toBe(ORIGIN);
  });

  it("is a problem with a code if the request is refused", async () => {
    const { status, body } = await api.post("/v1/sessions", { title: 7, pinned: "yes" });
    expect(status).toBe(400);
    expect(body).toEqual({
      type: "urn:memocha:problem:validation_failed",
      title: "Bad Request",
      status: 400,
      detail: "title: Invalid input: expected string, received number",
      code: "validation_failed",
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      errors: [
        { path: "title", message: "Invalid input: expected string, received number" },
        { path: "pinned", message: "Invalid input: expected boolean, received string" },
      ],
    });
  });

  it("hides the cause of an internal error, which the log contains", async () => {
    await api.world.crashing(0, "before", async () => {
      const { status, body } = await api.get("/v1/sessions/hers");
      expect(status).toBe(500);
      expect(body.detail).toBe(
        "The service failed to handle the request. Operators find the cause in the logs by the request_id.",
      );
      expect(api.logged.at(-1)).toContain(body.request_id);
    });
  });
});
