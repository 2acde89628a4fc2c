import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Fault } from "../support/create-faults.ts";
import { type Api, startApi } from "../support/start-api.ts";

let api: Api;
let names = 0;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());
afterEach(() => expect(api.faults.pending()).toBe(0));

const lostAnswer = (operation: string, attempts = 1): Fault => ({
  operation,
  attempts,
  when: "after",
  name: "TimeoutError",
});
const throttled = (operation: string, attempts: number): Fault => ({
  operation,
  attempts,
  when: "before",
  name: "ThrottlingException",
});

async function session(): Promise<string> {
  const id = `session-${names++}`;
  await api.post("/v1/sessions", { id });
  return id;
}
const contents = async (id: string) =>
  (await api.get(`/v1/sessions/${id}/messages`)).body.data.map(({ content }: { content: string }) => content);
const message = { role: "user", content: "x" };

describe("when the store has written but its answer is lost", () => {
  it("an append is stored once", async () => {
    const id = await session();
    api.faults.next(lostAnswer("TransactWriteItems"));
    expect((await api.post(`/v1/sessions/${id}/messages`, message)).status).toBe(201);
    expect(await contents(id)).toEqual(["x"]);
    expect((await api.get(`/v1/sessions/${id}`)).body.message_count).toBe(1);
  });

  it("a session is created without a conflict with itself", async () => {
    api.faults.next(lostAnswer("TransactWriteItems"));
    expect((await api.post("/v1/sessions", { id: "mine" })).status).toBe(201);
  });

  it("a request with an Idempotency-Key does not wait for itself", async () => {
    const id = await session();
    api.faults.next(lostAnswer("PutItem"));
    const options = { headers: { "idempotency-key": "self" } };
    expect((await api.post(`/v1/sessions/${id}/messages`, message, options)).status).toBe(201);
    expect(await contents(id)).toEqual(["x"]);
  });

  it("a repeat after an attempt that was killed does not wait for itself", async () => {
    const id = await session();
    const append = () => api.post(`/v1/sessions/${id}/messages`, message, { headers: { "idempotency-key": "dead" } });
    await api.world.crashing(1, "before", append);
    api.world.advance(31_000);
    api.faults.next(lostAnswer("UpdateItem"));
    expect((await append()).status).toBe(201);
    expect(await contents(id)).toEqual(["x"]);
  });

  it("a reset, a restore and a deletion have their usual result", async () => {
    const id = await session();
    await api.post(`/v1/sessions/${id}/messages`, message);
    api.faults.next(lostAnswer("UpdateItem"));
    expect((await api.post(`/v1/sessions/${id}/reset`)).status).toBe(200);
    expect(await contents(id)).toEqual([]);
    api.faults.next(lostAnswer("TransactWriteItems"));
    expect((await api.patch(`/v1/sessions/${id}`, { pinned: true })).body.pinned).toBe(true);
    api.faults.next(lostAnswer("TransactWriteItems"));
    expect((await api.del(`/v1/sessions/${id}`)).status).toBe(204);
    expect((await api.get(`/v1/sessions/${id}`)).status).toBe(404);
  });
});

describe("when the store is throttled", () => {
  it("for a short time, requests still succeed", async () => {
    const id = await session();
    api.faults.next(throttled("TransactWriteItems", 2));
    expect((await api.post(`/v1/sessions/${id}/messages`, message)).status).toBe(201);
  });

  it.each(["GetItem", "TransactWriteItems"])("for long, clients get a 503 with Retry-After: %s", async (operation) => {
    const id = await session();
    // Two reads run at once: of the person's record and of the session.
    api.faults.next(throttled(operation, operation === "GetItem" ? 8 : 4));
    const { status, headers, body } = await api.post(`/v1/sessions/${id}/messages`, message);
    expect([status, body.code, headers["retry-after"]]).toEqual([503, "unavailable", "1"]);
    expect(await contents(id)).toEqual([]);
  });
});

describe("health", () => {
  it("is degraded while the store accepts no writes, and ok again after that", async () => {
    for (const name of ["ThrottlingException", "InternalServerError"] as const) {
      api.world.advance(5000);
      api.faults.next({ operation: "PutItem", when: "before", name, attempts: 4 });
      const { status, headers, body } = await api.get("/health", { user: null });
      expect([status, headers["retry-after"]]).toEqual([503, "5"]);
      expect(body).toMatchObject({ status: "degraded", dynamodb: "read_only", archive: "connected" });
      // The SDK makes fewer attempts after many failures.
      api.faults.next({ operation: "PutItem", when: "before", name, attempts: 0 });
      expect((await api.get("/health", { user: null })).status).toBe(200);
    }
  });

  it("names the part that is down, and says when to check again", async () => {
    api.faults.next(throttled("Query", 4));
    const { status, headers, body } = await api.get("/health", { user: null });
    expect([status, headers["retry-after"]]).toEqual([503, "5"]);
    expect(body).toEqual({
      status: "degraded",
      dynamodb: "disconnected",
      archive: "connected",
      active_sessions: null,
      version: "1.2.3",
    });
  });
});
