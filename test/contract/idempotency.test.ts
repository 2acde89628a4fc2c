import { createHash } from "node:crypto";
import { QueryCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { idempotencyKey } from "../../shared/dynamodb/keys.ts";
import { createIdempotencyStore } from "../../shared/idempotency/idempotency-store.dynamodb.ts";
import { type Api, type Call, startApi } from "../support/start-api.ts";

let api: Api;
let names = 0;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const fresh = (what: string) => `${what}-${names++}`;
const keyed = (key: string, more: Call = {}): Call => ({ ...more, headers: { "Idempotency-Key": key } });
const DAY = 86_400_000;

async function session(more: object = {}): Promise<string> {
  const id = fresh("session");
  await api.post("/v1/sessions", { id, ttl_seconds: 10_000_000, ...more });
  return id;
}
const contents = async (id: string) =>
  (await api.get(`/v1/sessions/${id}/messages?limit=100`)).body.data.map(({ content }: { content: string }) => content);

describe("a request with an Idempotency-Key", () => {
  it("returns the first answer again without a second effect", async () => {
    const key = fresh("key");
    const first = await api.post("/v1/sessions", { title: "once" }, keyed(key));
    api.world.advance(60_000);
    const again = await api.post("/v1/sessions", { title: "once" }, keyed(key));
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect(again.headers).toMatchObject({
      location: first.headers.location,
      etag: first.headers.etag,
      "idempotency-replayed": "true",
    });
    expect(first.headers).not.toHaveProperty("idempotency-replayed");
    expect(again.headers["x-request-id"]).not.toBe(first.headers["x-request-id"]);
  });

  it("is refused when the key was used for another request", async () => {
    const [key, one, two] = [fresh("key"), await session(), await session()];
    const body = { role: "user", content: "a" };
    await api.post(`/v1/sessions/${one}/messages`, body, keyed(key));
    const refused = [
      await api.post(`/v1/sessions/${one}/messages`, { role: "user", content: "b" }, keyed(key)),
      await api.post(`/v1/sessions/${two}/messages`, body, keyed(key)),
      await api.post(`/v1/sessions/${one}/reset`, undefined, keyed(key)),
      await api.post("/v1/sessions", {}, keyed(key)),
    ];
    expect(refused.map(({ status, body }) => [status, body.code])).toEqual(
      Array(4).fill([422, "idempotency_mismatch"]),
    );
    expect([await contents(one), await contents(two)]).toEqual([["a"], []]);
  });

  it("differs from the same request without a body, also if the operation reads no body", async () => {
    const [key, id] = [fresh("key"), await session()];
    await api.post(`/v1/sessions/${id}/reset`, undefined, keyed(key));
    expect((await api.post(`/v1/sessions/${id}/reset`, { hard: true }, keyed(key))).status).toBe(422);
  });

  it("is the same with another order and layout of its JSON", async () => {
    const [key, id] = [fresh("key"), await session()];
    const path = `/v1/sessions/${id}/messages`;
    const first = await api.call("POST", path, keyed(key, { raw: '{"role":"user","content":"a"}' }));
    const again = await api.call("POST", path, keyed(key, { raw: '{ "content": "a",\n "role": "user" }' }));
    expect(again.body).toEqual(first.body);
  });

  it("is independent of the same key of another user", async () => {
    const key = fresh("key");
    const [ann, bob] = [
      await api.post("/v1/sessions", {}, keyed(key)),
      await api.post("/v1/sessions", {}, keyed(key, { user: "bob" })),
    ];
    expect([ann.status, bob.status, ann.body.id === bob.body.id]).toEqual([201, 201, false]);
  });

  it.each([1000, 3_600_000])(
    "is forgotten after 24 hours, whether or not the store has deleted the record: %s ms",
    async (late) => {
      const [key, id] = [fresh("key"), await session()];
      const append = (content: string) =>
        api.post(`/v1/sessions/${id}/messages`, { role: "user", content }, keyed(key));
      await append("first");
      api.world.advance(DAY - 1000);
      expect((await append("other")).status).toBe(422);
      api.world.advance(late);
      expect((await append("other")).status).toBe(201);
      expect(await contents(id)).toEqual(["first", "other"]);
    },
  );

  it("runs once when it is sent many times at the same time", async () => {
    const [key, id] = [fresh("key"), await session()];
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "x" }, keyed(key)),
      ),
    );
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers["idempotency-replayed"])).toHaveLength(9);
    expect(await contents(id)).toEqual(["x"]);
  });

  it("is answered with 409 and Retry-After while the first attempt runs for long", async () => {
    const [key, id] = [fresh("key"), await session()];
    const append = () => api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "x" }, keyed(key));
    // The first attempt dies after it began; for the store it is still running.
    await api.world.crashing(1, "before", append);
    const waiting = append();
    setTimeout(() => api.world.advance(6000), 100);
    const { status, body, headers } = await waiting;
    expect([status, body.code, headers["retry-after"]]).toEqual([409, "conflict", "1"]);
    api.world.advance(30_000);
    expect((await append()).status).toBe(201);
    expect(await contents(id)).toEqual(["x"]);
  });

  it("returns an answer again that is larger than an item, and keeps only ids of it", async () => {
    const [key, id] = [fresh("key"), await session()];
    const noise = () => Array.from({ length: 9000 }, () => Math.random().toString(36).slice(2)).join("");
    const messages = Array.from({ length: 12 }, () => ({ role: "user", content: noise() }));
    const first = await api.post(`/v1/sessions/${id}/messages`, { messages }, keyed(key));
    const again = await api.post(`/v1/sessions/${id}/messages`, { messages }, keyed(key));
    expect(again.text === first.text && first.text.length > 1_000_000).toBe(true);
    const records = await recordsOf("ann", key);
    expect([records.length, JSON.stringify(records).length < 2000]).toEqual([1, true]);
  });
});

describe("a refusal", () => {
  it.each([
    ["of what does not exist", "/v1/sessions/nowhere/reset", undefined, 404],
    ["of an id that is taken", "/v1/sessions", { id: "taken" }, 409],
  ])("%s is returned again like any other answer", async (_what, path, body, status) => {
    const key = fresh("key");
    await api.post("/v1/sessions", { id: "taken" });
    const first = await api.post(path, body, keyed(key));
    expect(first.status).toBe(status);
    await api.post("/v1/sessions", { id: "nowhere" });
    await api.del("/v1/sessions/taken");
    const again = await api.post(path, body, keyed(key));
    expect([again.status, again.body, again.headers["idempotency-replayed"]]).toEqual([status, first.body, "true"]);
    expect(again.headers["content-type"]).toBe("application/problem+json");
  });

  it.each([
    ["of input that is not valid", { title: 7 }, {}],
    ["of a token", { title: "x" }, { claims: { exp: "1" } }],
  ])("%s does not use the key", async (_what, body, more) => {
    const key = fresh("key");
    expect((await api.post("/v1/sessions", body, keyed(key, more))).status).toBeOneOf([400, 401]);
    expect((await api.post("/v1/sessions", { title: "right" }, keyed(key))).status).toBe(201);
  });

  it("with Retry-After is not kept, and a failure is not kept either", async () => {
    const [key, id] = [fresh("key"), await session()];
    const append = () => api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "x" }, keyed(key));
    api.faults.next({ operation: "GetItem", when: "before", name: "ThrottlingException", attempts: 8 });
    const failed = (await append()).status;
    // The claim ends at once, so the repeat does not wait until it expires.
    expect([failed, (await append()).status]).toEqual([503, 201]);
    expect(await contents(id)).toEqual(["x"]);
  });
});

describe("a request whose first attempt died at any call to the store", () => {
  const operations = {
    "POST /v1/sessions": {
      prepare: async () => fresh("made"),
      run: (id: string, options: Call) => api.post("/v1/sessions", { title: id }, options),
      check: async (id: string) => {
        const { body } = await api.get("/v1/sessions?limit=100");
        expect(body.data.filter(({ title }: { title: string }) => title === id)).toHaveLength(1);
      },
    },
    "POST …/reset": {
      prepare: async () => {
        const id = await session();
        await api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "x" });
        return id;
      },
      run: (id: string, options: Call) => api.post(`/v1/sessions/${id}/reset`, undefined, options),
      check: async (id: string) => expect(await contents(id)).toEqual([]),
    },
    "POST …/restore": {
      prepare: async () => {
        const id = await session({ ttl_seconds: 60 });
        await api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "x" });
        api.world.advance(61_000);
        await api.world.archiveJob({ Records: [(await api.world.sweep("ann", id))!] });
        await api.patch(`/v1/sessions/${id}`, { ttl_seconds: 1_000_000 });
        return id;
      },
      run: (id: string, options: Call) => api.post(`/v1/sessions/${id}/restore`, undefined, options),
      check: async (id: string) => {
        expect((await api.get(`/v1/sessions/${id}`)).body).toMatchObject({ status: "active", message_count: 1 });
        expect(await contents(id)).toEqual(["x"]);
      },
    },
  };

  it.each(Object.entries(operations))("has one effect and one answer: %s", async (_name, { prepare, run, check }) => {
    for (let step = 0, crashed = true; crashed; step++) {
      const id = await prepare();
      const options = keyed(fresh("key"));
      let first: { status: number; text: string } | undefined;
      crashed = await api.world.crashing(step, "after", async () => {
        first = await run(id, options);
      });
      api.world.advance(31_000);
      const repeat = await run(id, options);
      expect(repeat.status).toBeOneOf([200, 201]);
      if (first && first.status < 400) expect(repeat.text).toBe(first.text);
      await check(id);
    }
  });

  it("does not delete what was written after it: a reset", async () => {
    const id = await session();
    await api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "old" });
    const options = keyed(fresh("key"));
    const reset = () => api.post(`/v1/sessions/${id}/reset`, undefined, options);
    const calls = await api.world.counting(() => api.post(`/v1/sessions/${id}/reset`, undefined, keyed(fresh("key"))));
    await api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "old" });
    // The reset is complete, but its answer could not be kept.
    await api.world.crashing(calls - 1, "before", reset);
    await api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "new" });
    api.world.advance(31_000);
    expect((await reset()).status).toBe(200);
    expect(await contents(id)).toEqual(["new"]);
  });
});

describe("the record of a request with a key", () => {
  it("is not created again after it was deleted while its request ran", async () => {
    const [store, key] = [createIdempotencyStore(api.world.table), fresh("hash")];
    const now = api.world.stores.clock();
    await store.begin("ann", key, {
      digest: "digest",
      identity: { seed: "seed", at: now },
      lockedUntil: now + 1000,
      now,
    });
    await api.world.table.batchWrite([], [idempotencyKey("ann", key)]);
    await store.finish("ann", key, "seed", { status: 201, headers: {}, body: "{}" });
    await store.release("ann", key, "seed");
    expect(await api.world.table.get(idempotencyKey("ann", key))).toBeNull();
  });

  it("is stored under the user's key and expires within a day", async () => {
    const { body } = await api.post("/v1/sessions", {}, keyed("kept", { user: "keeper" }));
    expect(body.user_id).toBe("keeper");
    const records = await recordsOf("keeper", "kept");
    expect(records).toHaveLength(1);
    expect(Number(records[0]?.expires_at) - api.world.stores.clock() / 1000).toBe(86_400);
    expect(JSON.stringify(records)).not.toContain('"kept"');
  });
});

/** The stored record of a key. */
async function recordsOf(user: string, key: string): Promise<Record<string, unknown>[]> {
  const { pk, sk } = idempotencyKey(user, createHash("sha256").update(key).digest("hex"));
  const { Items = [] } = await api.engines.dynamodb.send(
    new QueryCommand({
      TableName: "conversations",
      KeyConditionExpression: "pk = :pk AND sk = :sk",
      ExpressionAttributeValues: { ":pk": pk, ":sk": sk },
    }),
  );
  return Items;
}
