import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createReconcileJob } from "../../functions/jobs/reconcile.ts";
import { createRememberJob } from "../../functions/jobs/remember.ts";
import { inRequest } from "../../shared/log.ts";
import { createSession } from "../../shared/session/create-session.ts";
import { createChatWorld, runTurn, turnRequest } from "../support/chat-world.ts";
import { startFakeOpenAI } from "../support/fake-openai.ts";
import { createMemoryWorld } from "../support/memory-world.ts";
import { type Api, startApi } from "../support/start-api.ts";

const USER = "ann@example.com";
const hashOf = (id: string) => createHash("sha256").update(id).digest("hex").slice(0, 12);
const HASH = hashOf(USER);
const CONTENT = "My passport is in the blue drawer.";
const message = { role: "user", content: CONTENT };

let api: Api;
beforeAll(async () => {
  api = await startApi();
  await api.post("/v1/sessions", { id: "s" }, { user: USER });
  await api.post("/v1/sessions/s/messages", message, { user: USER });
});
afterAll(() => api.close());
beforeEach(() => void api.logged.splice(0));

/** The logged lines. None may contain a user id or content. */
function lines(): Record<string, unknown>[] {
  expect(api.logged.length).toBeGreaterThan(0);
  for (const line of api.logged) {
    for (const private_ of [USER, encodeURIComponent(USER), CONTENT, "passport"]) expect(line).not.toContain(private_);
  }
  return api.logged.map((line) => JSON.parse(line));
}

describe("a log line names the user by a hash and has no content", () => {
  it("after a failed request, and contains the id of the request", async () => {
    let id = "";
    await api.world.crashing(1, "before", async () => {
      const { status, body } = await api.post("/v1/sessions/s/messages", message, { user: USER });
      expect(status).toBe(500);
      id = body.request_id;
    });
    expect(lines()).toMatchObject([
      { level: "error", request_id: id, user: HASH, route: "POST /v1/sessions/{id}/messages" },
    ]);
  });

  it("after a request with X-User-Id, and names the user in that header", async () => {
    const behalf = { user: "backend", claims: { act_as: "true" }, headers: { "x-user-id": USER } };
    await api.world.crashing(0, "before", () => api.get("/v1/sessions/s", behalf));
    expect(lines()).toMatchObject([{ user: HASH }]);
  });

  it("when messages cannot be remembered", async () => {
    const { deps, records } = createMemoryWorld(api.engines);
    const embedderOf = () => {
      throw new Error("no embedder");
    };
    const { batchItemFailures } = await createRememberJob({ ...deps, embedderOf })({
      Records: await records(USER, "s"),
    });
    expect(batchItemFailures).toHaveLength(1);
    expect(lines()).toMatchObject([{ level: "error", job: "remember", user: HASH }]);
  });

  it("when a session cannot be archived or reconciled", async () => {
    const { world } = api;
    world.advance(4 * 3_600_000);
    const record = (await world.sweep(USER, "s"))!;
    await world.crashing(0, "before", async () => {
      expect((await world.archiveJob({ Records: [record] })).batchItemFailures).toHaveLength(1);
    });
    expect(lines()).toMatchObject([{ level: "error", job: "archive", user: HASH }]);
    api.logged.splice(0);
    const stores = {
      ...world.stores,
      sessions: { ...world.stores.sessions, findAnchor: () => Promise.reject(new Error("no")) },
    };
    const job = createReconcileJob(stores)({}, { getRemainingTimeInMillis: () => 900_000 });
    await expect(job).rejects.toThrow("1 session could not be finished");
    expect(lines()).toMatchObject([{ level: "error", job: "reconcile", user: HASH, session: hashOf("s") }]);
  });

  it("when memories and the answer of a streaming turn fail, and has the id of the request", async () => {
    const fake = await startFakeOpenAI();
    try {
      const { deps } = createChatWorld(api.world, fake.url);
      await createSession(deps, USER, { id: "chat" }, { seed: "chat", at: deps.clock() }, 3600);
      const failing = () => Promise.reject(new Error("out of order"));
      const broken = { ...deps, recall: failing, turns: { ...deps.turns, save: failing } };
      const request = turnRequest(broken, USER, "chat", CONTENT, { memory: true });
      await inRequest({ id: "r1", user: USER }, () => runTurn(broken, request)).catch(() => undefined);
      const line = { level: "error", request_id: "r1", user: HASH, cause: "Error: out of order" };
      expect(lines()).toEqual([
        { ...line, message: "memories cannot be recalled" },
        { ...line, message: "an answer could not be stored" },
      ]);
    } finally {
      await fake.close();
    }
  });
});
