import { ScanCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Api, startApi } from "../support/start-api.ts";

let api: Api;
let before: unknown;

beforeAll(async () => {
  api = await startApi();
  await api.post("/v1/sessions", { id: "s", title: "kept", metadata: { kept: true } });
  await api.post("/v1/sessions/s/messages", { id: "m", role: "user", content: "kept" });
});
afterAll(() => api.close());

const stored = async () => (await api.engines.dynamodb.send(new ScanCommand({ TableName: "conversations" }))).Items;

beforeEach(async () => {
  before = await stored();
});
afterEach(async () => {
  expect(await stored()).toEqual(before);
  expect(api.logged).toEqual([]);
});

const LONE = "\ud800";
const message = (more: object = {}) => ({ role: "user", content: "hello", ...more });
const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

describe("POST /v1/sessions refuses", () => {
  it.each([
    [null, ""],
    [[], ""],
    ["title", ""],
    [7, ""],
    [{ titel: "x" }, "titel"],
    [{ user_id: "bob" }, "user_id"],
    [{ id: "" }, "id"],
    [{ id: null }, "id"],
    [{ id: "a b" }, "id"],
    [{ id: "a/b" }, "id"],
    [{ id: "a#b" }, "id"],
    [{ id: "ä" }, "id"],
    [{ id: ".." }, "id"],
    [{ id: "x".repeat(129) }, "id"],
    [{ title: 7 }, "title"],
    [{ title: "x".repeat(501) }, "title"],
    [{ title: LONE }, "title"],
    [{ metadata: [] }, "metadata"],
    [{ metadata: null }, "metadata"],
    [{ metadata: "x" }, "metadata"],
    [{ metadata: { a: "x".repeat(4089) } }, "metadata"],
    [{ metadata: { a: "é".repeat(2045) } }, "metadata"],
    [{ metadata: { a: [LONE] } }, "metadata.a.0"],
    [{ metadata: { [LONE]: 1 } }, "metadata.\ufffd"],
    [{ ttl_seconds: -1 }, "ttl_seconds"],
    [{ ttl_seconds: 1.5 }, "ttl_seconds"],
    [{ ttl_seconds: "60" }, "ttl_seconds"],
    [{ ttl_seconds: 1e12 }, "ttl_seconds"],
    [{ ttl_seconds: null }, "ttl_seconds"],
    [{ pinned: 1 }, "pinned"],
    [{ pinned: null }, "pinned"],
    [{ created_at: "yesterday" }, "created_at"],
    [{ created_at: "2026-02-30T00:00:00Z" }, "created_at"],
    [{ created_at: "2026-11-21T25:00:00Z" }, "created_at"],
    [{ created_at: "2026-11-21T00:00:00" }, "created_at"],
    [{ created_at: "2026-11-21" }, "created_at"],
    [{ created_at: 1_700_000_000 }, "created_at"],
    [{ created_at: "0001-01-01T00:00:00Z" }, "created_at"],
    [{ created_at: "2026-11-22T12:00:00.001Z" }, "created_at"],
  ])("%j, and the error names %j", async (body, path) => {
    const answer = await api.post("/v1/sessions", body);
    expect([answer.status, answer.body.code]).toEqual([400, "validation_failed"]);
    expect(answer.body.errors.map((error: { path: string }) => error.path)).toEqual([path]);
    expect(answer.body.detail).toContain(path === "" ? "body" : path);
  });

  it.each([
    ['{"__proto__":{"admin":true}}', "__proto__"],
    ['{"metadata":{"__proto__":{"admin":true}}}', "metadata.__proto__"],
    ['{"metadata":{"a":[{"\\u005f_proto__":1}]}}', "metadata.a.0.__proto__"],
    ['{"metadata":{"a":1e400}}', "metadata.a"],
    ['{"metadata":{"a":-1e999}}', "metadata.a"],
  ])("%s, and the error names %s", async (raw, path) => {
    const answer = await api.call("POST", "/v1/sessions", { raw });
    expect([answer.status, answer.body.errors?.[0].path]).toEqual([400, path]);
  });
});

describe("PATCH /v1/sessions/{id} refuses", () => {
  it.each([
    [{}, ""],
    [undefined, ""],
    [null, ""],
    [{ id: "other" }, "id"],
    [{ created_at: "2026-11-21T00:00:00Z" }, "created_at"],
    [{ status: "archived" }, "status"],
    [{ message_count: 0 }, "message_count"],
    [{ metadata: null }, "metadata"],
    [{ pinned: "true" }, "pinned"],
    [{ ttl_seconds: 3650 * 86_400 + 1 }, "ttl_seconds"],
  ])("%j, and the error names %j", async (body, path) => {
    const answer = await api.patch("/v1/sessions/s", body);
    expect([answer.status, answer.body.errors[0].path]).toEqual([400, path]);
  });
});

describe("POST /v1/sessions/{id}/messages refuses", () => {
  const long = "x".repeat(300 * 1024 + 1);
  it.each([
    [undefined, "role"],
    [{}, "role"],
    [null, ""],
    [[message()], ""],
    [{ role: "robot", content: "x" }, "role"],
    [{ role: "user" }, "content"],
    [{ role: "user", content: null }, "content"],
    [{ role: "user", content: 7 }, "content"],
    [{ role: "user", content: ["x"] }, "content"],
    [message({ content: LONE }), "content"],
    [message({ content: long }), "content"],
    [message({ content: "é".repeat(150 * 1024 + 1) }), "content"],
    [message({ name: "" }), "name"],
    [message({ name: "x".repeat(129) }), "name"],
    [message({ id: "no id" }), "id"],
    [message({ created_at: "soon" }), "created_at"],
    [message({ created_at: "2026-11-22T12:00:00.001Z" }), "created_at"],
    [message({ created_at: "+275760-09-13T00:00:00Z" }), "created_at"],
    [message({ metadata: { a: "x".repeat(5000) } }), "metadata"],
    [message({ usage: {} }), "usage.input_tokens"],
    [{ messages: [] }, "messages"],
    [{ messages: null }, "messages"],
    [{ messages: {} }, "messages"],
    [{ messages: Array.from({ length: 101 }, () => message()) }, "messages"],
    [{ messages: [message(), null] }, "messages.1"],
    [{ messages: [message(), { role: "user" }] }, "messages.1.content"],
    [{ messages: [message(), message({ created_at: "9999-01-01T00:00:00Z" })] }, "messages.1.created_at"],
    [{ messages: [message(), message({ extra: 1 })] }, "messages.1.extra"],
    [{ messages: [message({ id: "fresh" }), message({ id: "bad id" })] }, "messages.1.id"],
    [{ messages: [message({ content: long })] }, "messages.0.content"],
    [message({ parts: [{ type: "text", text: "x" }] }), "parts"],
    [{ role: "user", parts: [] }, "parts"],
    [{ role: "user", parts: "x" }, "parts"],
    [{ role: "user", parts: { type: "text" } }, "parts"],
    [{ role: "user", parts: ["x"] }, "parts.0"],
    [{ role: "user", parts: [null] }, "parts.0"],
    [{ role: "user", parts: [{ text: "x" }] }, "parts.0.type"],
    [{ role: "user", parts: [{ type: "video" }] }, "parts.0.type"],
    [{ role: "user", parts: [{ type: "text" }] }, "parts.0.text"],
    [{ role: "user", parts: [{ type: "text", text: LONE }] }, "parts.0.text"],
    [{ role: "user", parts: [{ type: "text", text: "x", more: 1 }] }, "parts.0.more"],
    [
      {
        role: "user",
        parts: [
          { type: "text", text: "x" },
          { type: "reasoning", text: 7 },
        ],
      },
      "parts.1.text",
    ],
    [{ role: "user", parts: [{ type: "text", text: long }] }, "parts"],
    [{ role: "user", parts: [{ type: "data", name: "x", data: { a: long } }] }, "parts"],
    [{ role: "user", parts: Array.from({ length: 1001 }, () => ({ type: "text", text: "" })) }, "parts"],
    [{ role: "user", parts: [{ type: "file", file_id: "f" }] }, "parts.0.file_id"],
    [{ role: "user", parts: [{ type: "source", url: "" }] }, "parts.0.url"],
    [{ role: "user", parts: [{ type: "tool_call", tool_call_id: "c", name: "" }] }, "parts.0.name"],
    [{ role: "user", parts: [{ type: "tool_call", tool_call_id: "c", name: "n" }] }, "parts.0.input"],
    [{ role: "tool", parts: [{ type: "tool_result", tool_call_id: "", output: 1 }] }, "parts.0.tool_call_id"],
    [{ role: "tool", parts: [{ type: "tool_result", tool_call_id: "c", output: 1, is_error: 1 }] }, "parts.0.is_error"],
    [{ messages: [message(), { role: "user", parts: [{ type: "text" }] }] }, "messages.1.parts.0.text"],
  ])("%#: the error names %2$j", async (body, path) => {
    const answer = await api.post("/v1/sessions/s/messages", body);
    expect([answer.status, answer.body.code]).toEqual([400, "validation_failed"]);
    expect(answer.body.errors[0].path).toBe(path);
  });

  it.each([
    ["input", { type: "tool_call", tool_call_id: "c", name: "n" }],
    ["output", { type: "tool_result", tool_call_id: "c" }],
    ["data", { type: "data", name: "n" }],
  ])("the error says that %s is missing", async (field, part) => {
    const { body } = await api.post("/v1/sessions/s/messages", { role: "assistant", parts: [part] });
    expect(body.errors).toEqual([{ path: `parts.0.${field}`, message: "is missing" }]);
  });
});

describe("an unreadable body is refused:", () => {
  it.each([
    ["text that is not JSON", { raw: "title=x" }, 400, "bad_request"],
    ["JSON that is cut off", { raw: '{"title":"x' }, 400, "bad_request"],
    ["two values", { raw: "{}{}" }, 400, "bad_request"],
    ["NaN", { raw: '{"ttl_seconds":NaN}' }, 400, "bad_request"],
    ["bytes that are not UTF-8", { bytes: Buffer.from('{"title":"\xff\xfe"}', "latin1") }, 400, "bad_request"],
    ["100,000 levels of JSON", { raw: nested(100_000) }, 400, "bad_request"],
    ["65 levels in a part", { raw: `{"parts":[{"type":"data","name":"x","data":${nested(65)}}]}` }, 400, "bad_request"],
    ["65 levels of metadata", { raw: `{"metadata":{"a":${nested(65)}}}` }, 400, "bad_request"],
    ["more than 4 MB", { raw: `{"title":"${"x".repeat(4 * 1024 * 1024)}"}` }, 413, "payload_too_large"],
    ["more than 4 MB of bytes", { bytes: new Uint8Array(4 * 1024 * 1024 + 10) }, 413, "payload_too_large"],
  ])("%s", async (_what, options, status, code) => {
    const answer = await api.call("POST", "/v1/sessions", options);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });
});

describe("an invalid query is refused:", () => {
  it.each([
    ["limit=0", "limit"],
    ["limit=101", "limit"],
    ["limit=-1", "limit"],
    ["limit=NaN", "limit"],
    ["limit=1.5", "limit"],
    ["limit=", "limit"],
    ["limit=0x10", "limit"],
    ["limit=1e1", "limit"],
    ["limit=Infinity", "limit"],
    ["order=up", "order"],
    ["from=yesterday", "from"],
    ["from=2026-13-01T00:00:00Z", "from"],
    ["to=", "to"],
    ["from=2026-11-21T00:00:00Z&to=2026-11-21T00:00:00Z", "to"],
    ["from=2026-11-22T00:00:00Z&to=2026-11-21T00:00:00Z", "to"],
    ["from=2026-11-21T10:00:00%2B02:00&to=2026-11-21T08:00:00Z", "to"],
    ["cursor=", "cursor"],
    ["cursor=x", "cursor"],
    [`cursor=${Buffer.from('["a","b"]').toString("base64url")}`, "cursor"],
    [`cursor=${Buffer.from("null").toString("base64url")}`, "cursor"],
    [`cursor=${"x".repeat(2049)}`, "cursor"],
  ])("%s", async (query, path) => {
    for (const list of ["/v1/sessions", "/v1/sessions/s/messages"]) {
      const { status, body } = await api.get(`${list}?${query}`);
      expect([status, body.errors[0].path]).toEqual([400, path]);
    }
  });

  it.each(["status=deleted", "status=", "status=ACTIVE"])("%s", async (query) => {
    const { status, body } = await api.get(`/v1/sessions?${query}`);
    expect([status, body.errors[0].path]).toEqual([400, "status"]);
  });

  it.each(["days=-1", "days=", "days=NaN", "days=soon", "days=1e99", "days=3651", "days=0x7"])("%s", async (query) => {
    const { status, body } = await api.post(`/admin/cleanup-sessions?${query}`, undefined, {
      claims: { admin: "true" },
    });
    expect([status, body.errors[0].path]).toEqual([400, "days"]);
  });
});

describe("ids in paths", () => {
  it.each(["a%20b", "%2e%2e", "%00", "a%23b", "ä", "%E4", "%", "x".repeat(129), "__proto__", "s%2Fmessages"])(
    "that are not valid are answered with 404: %s",
    async (id) => {
      for (const [method, path, body] of [
        ["GET", ""],
        ["PATCH", "", { title: "x" }],
        ["DELETE", ""],
        ["POST", "/reset"],
        ["POST", "/restore"],
        ["GET", "/messages"],
        ["POST", "/messages", message()],
      ] as const) {
        const answer = await api.call(method, `/v1/sessions/${id}${path}`, { body });
        expect([answer.status, answer.body.code]).toEqual([404, "not_found"]);
      }
    },
  );

  it("that are not valid get the same answer as valid ids that do not exist, with the kind of thing", async () => {
    const absent = "00000000-0000-4000-8000-000000000000";
    for (const [method, path, noun] of [
      ["GET", "/v1/exports/{id}", "export"],
      ["GET", "/v1/erasures/{id}", "erasure"],
      ["DELETE", "/v1/memories/{id}", "memory"],
      ["GET", "/v1/files/{id}", "file"],
      ["GET", "/v1/sessions/{id}", "session"],
      ["GET", "/v1/sessions/{id}/messages", "session"],
      ["DELETE", "/v1/sessions/s/messages/{id}", "message"],
    ] as const) {
      for (const id of [absent, "a%20b", "%"]) {
        const answer = await api.call(method, path.replace("{id}", id));
        expect([path, answer.status, answer.body.code, answer.body.detail]).toEqual([
          path,
          404,
          "not_found",
          `no such ${noun}`,
        ]);
      }
    }
  });

  it("are the same in every percent-encoding", async () => {
    expect((await api.get("/v1/sessions/%73")).body.id).toBe("s");
  });
});

describe("an invalid Idempotency-Key is refused:", () => {
  it.each(["", "a b", "é", "x".repeat(256), "a\u0007"])("%j", async (key) => {
    const { status, body } = await api.post("/v1/sessions", {}, { headers: { "Idempotency-Key": key } });
    expect([status, body.errors[0].path]).toEqual([400, "Idempotency-Key"]);
  });
});
