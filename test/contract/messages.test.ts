import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, pages, startApi } from "../support/start-api.ts";

let api: Api;
let names = 0;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const LONG = 1_000_000;
async function session(): Promise<string> {
  const id = `session-${names++}`;
  await api.post("/v1/sessions", { id, ttl_seconds: LONG });
  return id;
}
const append = (id: string, body: unknown, headers = {}) => api.post(`/v1/sessions/${id}/messages`, body, { headers });
const read = async (id: string) => (await pages(api, `/v1/sessions/${id}/messages?limit=100`)).flat();
const count = async (id: string) => (await api.get(`/v1/sessions/${id}`)).body.message_count;
const contentsOf = (list: { content: string }[]) => list.map(({ content }) => content);
const batch = (size: number, more: (n: number) => object = () => ({})) => ({
  messages: Array.from({ length: size }, (_, n) => ({ role: "user", content: `message ${n}`, ...more(n) })),
});

describe("appending", () => {
  it("one message returns it as it is stored", async () => {
    const id = await session();
    const input = { role: "tool", name: "search", content: "", metadata: { a: [1, { b: null }] } };
    const { status, body } = await append(id, input);
    expect(status).toBe(201);
    const now = new Date(api.world.stores.clock()).toISOString();
    expect(body).toEqual({
      data: [
        { ...input, id: expect.stringMatching(/^[0-9a-f-]{36}$/), session_id: id, parent_id: null, created_at: now },
      ],
    });
    expect(await read(id)).toEqual(body.data);
  });

  it("an answer of another system keeps its model, usage and status, which other roles cannot have", async () => {
    const id = await session();
    const answer = {
      model: "gpt-4",
      usage: { input_tokens: 5, output_tokens: 7, cost_usd: 0.25 },
      status: "stopped",
      finish_reason: "length",
      latency_ms: 1200,
    };
    const { body } = await append(id, { role: "assistant", content: "half", ...answer });
    expect(body.data[0]).toMatchObject(answer);
    expect(await read(id)).toEqual(body.data);
    for (const [field, value] of Object.entries(answer)) {
      const refused = await append(id, { role: "user", content: "x", [field]: value });
      expect([refused.status, refused.body.errors[0]]).toEqual([
        400,
        { path: field, message: "is only for role assistant" },
      ]);
    }
    expect((await append(id, { role: "assistant", content: "x", usage: { input_tokens: -1 } })).status).toBe(400);
    expect(await count(id)).toBe(1);
  });

  it("an answer keeps its status, and an answer with usage but without a status is complete", async () => {
    const id = await session();
    const usage = { input_tokens: 1, output_tokens: 2 };
    const given = [{ status: "complete" }, { usage }, { status: "complete", usage }, {}];
    const { body } = await append(id, {
      messages: given.map((more) => ({ role: "assistant", content: "yes", ...more })),
    });
    const statuses = ["complete", "complete", "complete", undefined];
    expect(body.data.map(({ status }: { status?: string }) => status)).toEqual(statuses);
    expect(await read(id)).toEqual(body.data);
  });

  it("parts keeps them and returns their text as content", async () => {
    const id = await session();
    const parts = [
      { type: "reasoning", text: "hm" },
      { type: "text", text: "one" },
      { type: "tool_call", tool_call_id: "c1", name: "search", input: { q: ["x", null, 1.5] } },
      { type: "text", text: "two" },
      { type: "source", url: "https://example.org/", title: "Example" },
      { type: "data", name: "chart", data: { nested: [{ deep: true }] } },
    ];
    const result = [{ type: "tool_result", tool_call_id: "c1", name: "search", output: "none", is_error: true }];
    const { body } = await append(id, {
      messages: [
        { role: "assistant", parts },
        { role: "tool", parts: result },
        { role: "user", parts: [{ type: "text", text: "only text" }] },
      ],
    });
    expect(body.data).toMatchObject([
      { content: "one\n\ntwo", parts },
      { content: "", parts: result },
      { content: "only text" },
    ]);
    expect(body.data[2]).not.toHaveProperty("parts");
    expect(await read(id)).toEqual(body.data);
  });

  it("updates the count, last activity, expiry and ETag of the session", async () => {
    const id = await session();
    const before = await api.get(`/v1/sessions/${id}`);
    api.world.advance(2000);
    const { body } = await append(id, batch(3));
    const after = await api.get(`/v1/sessions/${id}`);
    const now = api.world.stores.clock();
    expect(after.body).toEqual({
      ...before.body,
      message_count: 3,
      head_id: body.data[2].id,
      updated_at: new Date(now).toISOString(),
      expires_at: new Date(now + LONG * 1000).toISOString(),
    });
    expect(after.headers.etag).not.toBe(before.headers.etag);
  });

  it("accepts every role, and content of exactly 300 KB", async () => {
    const id = await session();
    for (const role of ["system", "user", "assistant", "tool"]) {
      expect((await append(id, { role, content: "é".repeat(150 * 1024) })).status).toBe(201);
      api.world.advance(1);
    }
    expect((await read(id)).map(({ role }) => role)).toEqual(["system", "user", "assistant", "tool"]);
  });

  it.each([1, 99, 100])("%i messages at once keeps their order", async (size) => {
    const id = await session();
    const { body } = await append(id, batch(size));
    const stored = await read(id);
    expect(stored).toEqual(body.data);
    expect(contentsOf(stored)).toEqual(contentsOf(batch(size).messages));
    expect(stored.map(({ id: key }) => key).sort()).toEqual(stored.map(({ id: key }) => key));
    expect(await count(id)).toBe(size);
  });

  it("messages that do not fit into an answer are refused before anything is stored", async () => {
    const id = await session();
    const quotes = (size: number) => batch(size, () => ({ content: '"'.repeat(150_000) }));
    expect(await append(id, quotes(9))).toMatchObject({ status: 413, body: { code: "payload_too_large" } });
    expect(await count(id)).toBe(0);
    expect((await append(id, quotes(8))).status).toBe(201);
    expect(await count(id)).toBe(8);
  });
});

describe("a message whose id exists", () => {
  const first = { id: "m", role: "user", content: "first" };

  it("is not stored again, and the stored one is returned", async () => {
    const id = await session();
    const { body } = await append(id, first);
    api.world.advance(1000);
    const again = await append(id, { ...first, content: "second" });
    expect([again.status, again.body]).toEqual([201, body]);
    expect(await read(id)).toEqual(body.data);
    expect(await count(id)).toBe(1);
  });

  it("is skipped in a batch, and the other messages are stored", async () => {
    const id = await session();
    await append(id, first);
    const { body } = await append(id, {
      messages: [
        { role: "user", content: "a" },
        { ...first, content: "x" },
        { id: "n", role: "user", content: "b" },
      ],
    });
    expect(contentsOf(body.data)).toEqual(["a", "first", "b"]);
    expect(contentsOf(await read(id)).sort()).toEqual(["a", "b", "first"]);
    expect(await count(id)).toBe(3);
  });

  it("is stored once when a batch contains it twice", async () => {
    const id = await session();
    const { body } = await append(id, { messages: [first, { ...first, content: "twin" }] });
    expect(contentsOf(body.data)).toEqual(["first", "first"]);
    expect([contentsOf(await read(id)), await count(id)]).toEqual([["first"], 1]);
  });

  it("is stored once when many requests append it at the same time", async () => {
    const id = await session();
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        append(id, {
          messages: [
            { ...first, content: `${n}` },
            { role: "user", content: "own" },
          ],
        }),
      ),
    );
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.data[0].content}`)).size).toBe(1);
    expect([(await read(id)).length, await count(id)]).toEqual([13, 13]);
  });

  it("is a different message in another session or of another user", async () => {
    const [one, two] = [await session(), await session()];
    await append(one, first);
    expect(contentsOf((await append(two, { ...first, content: "other" })).body.data)).toEqual(["other"]);
  });

  it("is stored once when a batch of a hundred is sent twice", async () => {
    const id = await session();
    const input = batch(100, (n) => ({ id: `own-${n}` }));
    const { body } = await append(id, input);
    expect((await append(id, input)).body).toEqual(body);
    expect([contentsOf(await read(id)), await count(id)]).toEqual([contentsOf(input.messages), 100]);
  });
});

describe("fifty appends at the same time", () => {
  it("lose no message, and every reader sees the same order", async () => {
    const id = await session();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => append(id, { role: "user", content: `${n}` })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(201));
    const stored = await read(id);
    expect(
      contentsOf(stored)
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 50 }, (_, n) => n));
    expect(await count(id)).toBe(50);
    const small = (await pages(api, `/v1/sessions/${id}/messages?limit=7&order=desc`)).flat();
    expect(small.reverse()).toEqual(stored);
  });
});

describe("an append that crashes at any call to the store", () => {
  const cases = {
    "one message": [{ role: "user", content: "message 0" }, 1],
    "100 messages": [batch(100), 100],
    "100 with ids": [batch(100, (n) => ({ id: `own-${n}` })), 100],
    "100, every other with an id": [batch(100, (n) => (n % 2 ? { id: `own-${n}` } : {})), 100],
    "3.3 MB": [batch(11, () => ({ content: "x".repeat(300_000) })), 11],
  } as const;
  // A crash before a call leaves the same state as a crash after the previous call. For many writes, one crash is enough.
  const kindsOf = (size: number) => (size === 1 ? (["before", "after"] as const) : (["after"] as const));

  it.each(Object.entries(cases))(
    "stores each message once when it is repeated with its key: %s",
    async (_name, [input, size]) => {
      for (const kind of kindsOf(size)) {
        for (let step = 0, crashed = true; crashed; step++) {
          const id = await session();
          const headers = { "idempotency-key": `${id}-${step}` };
          let first: { status: number; body: { data: unknown } } | undefined;
          crashed = await api.world.crashing(step, kind, async () => {
            first = await append(id, input, headers);
          });
          // The first attempt counts as dead only when its time is over.
          api.world.advance(31_000);
          const repeat = await append(id, input, headers);
          expect(repeat.status).toBe(201);
          if (first?.status === 201) expect(repeat.body).toEqual(first.body);
          expect(await read(id)).toEqual(repeat.body.data);
          expect([repeat.body.data.length, await count(id)]).toEqual([size, size]);
        }
      }
    },
  );

  it.each(Object.entries(cases).filter(([name]) => name.startsWith("100")))(
    "stores each message once when it is repeated without a key: %s",
    async (_name, [input, size]) => {
      for (const kind of kindsOf(size)) {
        for (let step = 0, crashed = true; crashed; step++) {
          const id = await session();
          let status = 0;
          crashed = await api.world.crashing(step, kind, async () => {
            status = (await append(id, input)).status;
          });
          if (status === 201) continue;
          // If only the answer is lost, a repeat without ids looks like further messages with the same content.
          const stored = await count(id);
          if (stored === size && !("messages" in input && input.messages.every((message) => "id" in message))) continue;
          api.world.advance(1000);
          const repeat = await append(id, input);
          expect(await read(id)).toEqual(repeat.body.data);
          expect(await count(id)).toBe(size);
        }
      }
    },
  );
});
