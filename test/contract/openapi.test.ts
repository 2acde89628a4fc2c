import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createChat } from "../../functions/chat/chat.ts";
import { createCompletions } from "../../functions/chat/completions.ts";
import { createFollowChat } from "../../functions/chat/follow.ts";
import { createFollowUiChat } from "../../functions/chat/follow-ui.ts";
import { createListModels } from "../../functions/chat/models.ts";
import { createReadUiChat } from "../../functions/chat/read-ui.ts";
import { createSendUiChat } from "../../functions/chat/send-ui.ts";
import { createStopChat } from "../../functions/chat/stop.ts";
import { createResumeChat } from "../../functions/chat/stream.ts";
import { createGetUsage } from "../../functions/chat/usage.ts";
import { createGetMetrics } from "../../functions/metrics/get.ts";
import { createGetReport } from "../../functions/reports/get.ts";
import { createGetState } from "../../functions/system/state.ts";
import { exportKey, latestExportKey, personKey } from "../../shared/dynamodb/keys.ts";
import { createTable } from "../../shared/dynamodb/table.ts";
import { createOpenapi } from "../../shared/http/openapi.ts";
import { type Operation, type OperationId, operations } from "../../shared/http/operations.ts";
import { responseHeaders } from "../../shared/http/response-headers.ts";
import { createIdempotencyStore } from "../../shared/idempotency/idempotency-store.dynamodb.ts";
import { createChangedDays } from "../../shared/lake/changed-days.dynamodb.ts";
import { createProviderStore } from "../../shared/llm/providers.dynamodb.ts";
import { createJobBook } from "../../shared/metrics/job-book.ts";
import { createMetricStore } from "../../shared/metrics/metric-store.dynamodb.ts";
import { buildReport } from "../../shared/reports/build-report.ts";
import { pageHandlers } from "../functions/page/page-handlers.ts";
import { createChatWorld } from "../support/chat-world.ts";
import { documentedResponses } from "../support/documented.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../support/fake-openai.ts";
import { type Api, type ApiOptions, type Call, ORIGIN, type Reply, startApi } from "../support/start-api.ts";

/** Statuses that the gateway can serve for any operation without a function. */
const BY_GATEWAY = ["429", "500", "503"];

/** Operations that answer for a missing session as for an empty one. */
const NEED_NO_SESSION = new Set<OperationId>(["chat", "followChat", "followUiChat", "readUiChat", "stopChat"]);

const ids = Object.keys(operations) as OperationId[];
const TARGETS = { baseUrl: "https://models.example/v1", model: "model-a", fallbacks: [], prices: {} };
const PLANS = {
  free: { requests_per_minute: 0, tokens_per_day: 0 },
  tiny: { requests_per_minute: 1, tokens_per_day: 0 },
};

let api: Api;
let fake: FakeOpenAI;
/** The served content types and headers, by `operation status`. */
const served = new Map<string, Set<string>>();
const note = (key: string, values: readonly (string | null)[]) => {
  const known = served.get(key) ?? new Set();
  for (const value of values) if (value !== null) known.add(value);
  served.set(key, known);
};
let names = 0;
const fresh = (what: string) => `${what}-${names++}`;

beforeAll(async () => {
  fake = await startFakeOpenAI();
  fake.always({ text: "one two" });
  const others: ApiOptions["others"] = (world, http, engines) => {
    const { deps } = createChatWorld(world, fake.url);
    const chat = { ...deps, ...http, idempotency: createIdempotencyStore(world.ungated), plans: PLANS };
    const metrics = { ...http, store: createMetricStore(createTable(engines.dynamodb, engines.metricsTable)) };
    return {
      chat: createChat(chat),
      createCompletion: createCompletions(chat),
      resumeChat: createResumeChat(chat),
      followChat: createFollowChat(chat),
      stopChat: createStopChat(chat),
      sendUiChat: createSendUiChat(chat),
      readUiChat: createReadUiChat({ ...chat, fileUrls: async () => new Map() }),
      followUiChat: createFollowUiChat(chat),
      getUsage: createGetUsage(chat),
      ...pageHandlers(http),
      listModels: createListModels({ ...http, targets: TARGETS, providerModels: async () => [] }),
      getMetrics: createGetMetrics(metrics),
      getState: createGetState({
        ...http,
        book: createJobBook(createTable(engines.dynamodb, engines.metricsTable), http.clock),
        sessions: world.stores.sessions,
        changes: createChangedDays(world.table),
        store: createProviderStore(world.table),
        providers: ["models.example"],
        deadLetters: async () => ({ count: 0, oldest: null }),
      }),
      getReport: createGetReport({
        ...metrics,
        reports: { find: async (month) => (month === "2026-10" ? reportOf(metrics, month) : null) },
      }),
    };
  };
  api = await startApi({
    others,
    onServed: (id, { status, type, headers }) => {
      note(`${id} ${status}`, [type]);
      note(`headers of ${status}`, headers);
      if (status < 400) note(`headers of ${id} ${status}`, headers);
    },
  });
});
afterAll(() => Promise.all([api.close(), fake.close()]));

/** A report of a month with data. */
async function reportOf(metrics: Parameters<typeof buildReport>[0], month: string) {
  const report = await buildReport(metrics, month);
  return { ...report, figures: { ...report.figures, requests: 1 } };
}

/** A request that succeeds. */
interface Example {
  url: string;
  body?: unknown;
  claims?: Record<string, string>;
}

/** Prepares each operation, and returns a request that succeeds. */
const examples: Record<OperationId, () => Promise<Example>> = {
  getHealth: async () => ({ url: "/health" }),
  getState: async () => ({ url: "/v1/state" }),
  getOpenapi: async () => ({ url: "/openapi.json" }),
  createSession: async () => ({ url: "/v1/sessions", body: { id: fresh("made") } }),
  listSessions: async () => ({ url: "/v1/sessions" }),
  getSession: async () => ({ url: await session() }),
  patchSession: async () => ({ url: await session(), body: { title: "new" } }),
  deleteSession: async () => ({ url: await session() }),
  resetSession: async () => ({ url: `${await session()}/reset` }),
  restoreSession: async () => ({ url: `${await session()}/restore` }),
  cleanupSessions: async () => ({ url: "/admin/cleanup-sessions?days=3650" }),
  listMessages: async () => ({ url: `${await session()}/messages` }),
  appendMessages: async () => ({ url: `${await session()}/messages`, body: { role: "user", content: "x" } }),
  deleteMessage: async () => {
    const url = `${await session()}/messages`;
    const { data } = (await api.post(url, { role: "user", content: "x" })).body;
    return { url: `${url}/${data[0].id}` };
  },
  chat: async () => ({ url: `${await session()}/chat`, body: { content: "x" } }),
  resumeChat: async () => {
    const url = await session();
    const { message } = (await api.post(`${url}/chat`, { content: "x" })).body;
    return { url: `${url}/chat/${message.id}/stream` };
  },
  followChat: async () => ({ url: `${await session()}/chat/stream` }),
  stopChat: async () => ({ url: `${await session()}/stop` }),
  sendUiChat: async () => ({
    url: "/v1/chat",
    body: { id: fresh("sent"), messages: [{ id: "q", role: "user", parts: [{ type: "text", text: "x" }] }] },
  }),
  readUiChat: async () => ({ url: `/v1/chat/${fresh("new")}` }),
  followUiChat: async () => ({ url: `/v1/chat/${(await session()).split("/").at(-1)}/stream` }),
  createCompletion: async () => ({
    url: "/v1/chat/completions",
    body: { model: "model-a", messages: [{ role: "user", content: "x" }], metadata: { session_id: fresh("named") } },
  }),
  listModels: async () => ({ url: "/v1/models" }),
  getUsage: async () => ({ url: "/v1/usage" }),
  getMetrics: async () => ({ url: "/v1/metrics" }),
  createEvent: async () => ({ url: "/v1/events", body: { type: "custom" } }),
  getReport: async () => ({ url: "/v1/reports/2026-10" }),
  searchMemories: async () => ({ url: "/v1/memories/search", body: { query: "x" } }),
  listMemories: async () => ({ url: "/v1/memories" }),
  deleteMemory: async () => {
    const url = await session();
    await api.post(`${url}/messages`, { role: "user", content: "My cat is called Momo." });
    await api.world.deliver("ann", url.split("/").at(-1)!);
    return { url: `/v1/memories/${(await api.get("/v1/memories")).body.data[0].id}` };
  },
  deleteMemories: async () => ({ url: "/v1/memories" }),
  getSettings: async () => ({ url: "/v1/settings" }),
  patchSettings: async () => ({ url: "/v1/settings", body: { memory: true } }),
  listAudit: async () => ({ url: "/v1/audit" }),
  createExport: async () => ({ url: "/v1/exports" }),
  getExport: async () => ({ url: `/v1/exports/${(await api.post("/v1/exports")).body.id}` }),
  createFile: async () => ({ url: "/v1/files", body: fileInput }),
  listFiles: async () => ({ url: "/v1/files" }),
  getFile: async () => ({ url: await file() }),
  deleteFile: async () => ({ url: await file() }),
  getPage: async () => ({ url: "/" }),
  getAsset: async () => ({ url: "/assets/main-1.js" }),
  createErasure: async () => ({ url: "/v1/erasures", body: { user_id: fresh("erased") }, claims: { admin: "true" } }),
  getErasure: async () => {
    const claims = { admin: "true" };
    const { body } = await api.post("/v1/erasures", { user_id: fresh("erased") }, { claims });
    return { url: `/v1/erasures/${body.id}`, claims };
  },
  callMcp: async () => ({ url: "/mcp", body: { jsonrpc: "2.0", id: 1, method: "ping" } }),
  getAuthorizationServer: async () => ({ url: "/.well-known/oauth-authorization-server" }),
  registerClient: async () => ({ url: "/oauth/register", body: { redirect_uris: ["http://localhost:1/callback"] } }),
  getProtectedResource: async () => ({ url: "/.well-known/oauth-protected-resource" }),
};

/** Starts an answer in the session of a URL. Returns the function that ends it. */
async function running(url: string): Promise<() => Promise<unknown>> {
  const [session] = url.match(/[^/]+-\d+/) ?? [];
  const gate = Promise.withResolvers<void>();
  fake.next({ until: gate.promise });
  const answer = api.post(`/v1/sessions/${session}/chat`, { content: "x" });
  await expect.poll(async () => (await api.get(`/v1/sessions/${session}`)).body.message_count).toBe(1);
  // A streamed answer is complete when it was read to the end.
  setTimeout(gate.resolve, 50);
  return () => answer;
}

const fileInput = { filename: "notes.txt", media_type: "text/plain", bytes: 5 };

const file = async () => `/v1/files/${(await api.post("/v1/files", fileInput)).body.id}`;

async function session(): Promise<string> {
  const id = fresh("session");
  await api.post("/v1/sessions", { id, ttl_seconds: 1_000_000 });
  return `/v1/sessions/${id}`;
}

const send = (id: OperationId, { url, body, claims: own }: Example, options: Call = {}): Promise<Reply> => {
  const { method, access } = operations[id];
  const claims = { admin: String(access === "admin"), ...own, ...options.claims };
  return api.call(method, url, { body, user: access === "public" ? null : "ann", ...options, claims });
};
const keyed = (key: string): Call => ({ headers: { "Idempotency-Key": key } });

/** How to cause each refusal that every operation can have. */
const refusals: Record<number, (id: OperationId) => Promise<Reply>> = {
  400: async (id) =>
    id === "registerClient"
      ? send(id, { url: "/oauth/register", body: { redirect_uris: ["https://evil.example/"] } })
      : send(id, await examples[id](), { headers: { "X-User-Id": "" }, claims: { act_as: "true" } }),
  401: async (id) => send(id, await examples[id](), { user: null }),
  403: async (id) => send(id, await examples[id](), { headers: { "X-User-Id": "bob" } }),
  404: async (id) => {
    if (id === "createEvent") return send(id, { url: "/v1/events", body: { type: "custom", session_id: "none" } });
    if (id === "callMcp") {
      const _meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
      };
      const body = { jsonrpc: "2.0", id: 1, method: "none", params: { _meta } };
      return send(
        id,
        { url: "/mcp", body },
        { headers: { "MCP-Protocol-Version": "2026-07-28", "MCP-Method": "none" } },
      );
    }
    if (id === "getReport") return send(id, { url: "/v1/reports/2026-09" });
    if (id === "createExport") {
      const options = keyed(fresh("key"));
      const { body } = await api.post("/v1/exports", undefined, options);
      await api.world.exportTable.batchWrite([], [exportKey("ann", body.id), latestExportKey("ann")]);
      return api.post("/v1/exports", undefined, options);
    }
    const example = await examples[id]();
    if (NEED_NO_SESSION.has(id)) return send(id, { ...example, url: example.url.replace(/[^/]+-\d+/, "%20") });
    if (!["createSession", "createCompletion", "sendUiChat", "createFile"].includes(id)) {
      return send(id, { ...example, url: example.url.replace(/-\d+|[0-9a-f]{12}$/, "none") });
    }
    const options = keyed(fresh("key"));
    const { body, headers } = await send(id, example, options);
    const session = headers["x-session-id"] ?? (id === "sendUiChat" ? (example.body as { id: string }) : body).id;
    await api.del(id === "createFile" ? `/v1/files/${body.id}` : `/v1/sessions/${session}`);
    return send(id, example, options);
  },
  409: async (id) => {
    const [example, options] = [await examples[id](), keyed(fresh("key"))];
    if (operations[id].method !== "POST") return whileErasing(() => send(id, example));
    // The first attempt dies after it began; for the store it is still running. A turn looks at the person's record and
    // at its provider first.
    await api.world.crashing("events" in operations[id] ? 2 : 0, "after", () =>
      send(id, example, { ...options, remaining: 60_000 }),
    );
    const waiting = send(id, example, options);
    setTimeout(() => api.world.advance(6000), 100);
    return waiting;
  },
  412: async (id) => send(id, await examples[id](), { headers: { "If-Match": '"other"' } }),
  413: async (id) => send(id, await examples[id](), { raw: " ".repeat(4 * 1024 * 1024 + 1) }),
  422: async (id) => {
    const options = keyed(fresh("key"));
    await (id === "createSession"
      ? api.post("/v1/events", { type: "custom" }, options)
      : api.post("/v1/sessions", {}, options));
    return send(id, await examples[id](), options);
  },
};

/** Sends a request while the data of its user is being erased. */
async function whileErasing(request: () => Promise<Reply>): Promise<Reply> {
  await api.world.ungated.put({ Item: { ...personKey("ann"), erasing: "an erasure" } });
  return request().finally(() => api.world.ungated.put({ Item: personKey("ann") }));
}

/** The provider does not accept the deployment's key. */
refusals[502] = async (id) => {
  fake.next({ status: 401 });
  return send(id, await examples[id]());
};

describe.each(ids)("%s", (id) => {
  const operation: Operation = operations[id];
  const documented = documentedResponses(id);

  it("succeeds with exactly the statuses and content types in the document", async () => {
    const example = await examples[id]();
    const options = operation.method === "POST" ? keyed(fresh("key")) : {};
    const { status, headers } = await send(id, example, {
      ...options,
      headers: { ...options.headers, Origin: ORIGIN },
    });
    expect(status).toBeLessThan(300);
    if (operation.method === "POST") expect((await send(id, example, options)).status).toBe(status);
    if ("304" in documented) {
      expect((await send(id, example, { headers: { "If-None-Match": headers.etag! } })).status).toBe(304);
    }
    if (operation.events && operation.body) {
      // The plan allows one request per minute.
      api.world.advance(60_000);
      await send(id, { ...example, body: { ...(example.body as object), stream: true } }, { claims: { plan: "tiny" } });
    }
    if (operation.path.endsWith("/stream") && "204" in documented) {
      const going = await running(example.url);
      expect((await send(id, example)).status).toBe(200);
      await going();
    }
    if (id === "getPage") await send(id, { url: "/" }, { stagePath: "/dev" });
    if (id === "getAsset") {
      await send(id, { url: "/assets/main-1.css" });
      await send(id, { url: "/assets/icon-1.svg" }, { headers: { "Accept-Encoding": "gzip" } });
    }
    for (const [success, { content = {} }] of Object.entries(documented)) {
      if (Number(success) >= 400) continue;
      expect([success, [...(served.get(`${id} ${success}`) ?? [])].sort()]).toEqual([
        success,
        Object.keys(content).sort(),
      ]);
    }
    for (const header of operation.headers ?? []) {
      const seen = Object.keys(operation.answers).flatMap((success) => [
        ...(served.get(`headers of ${id} ${success}`) ?? []),
      ]);
      expect(seen).toContain(header);
    }
  });

  const refused = Object.keys(documented).filter((status) => Number(status) >= 400 && !BY_GATEWAY.includes(status));
  it.each(refused.length > 0 ? refused : ["nothing"])(
    "refuses with %s as in the document",
    async (status) => {
      if (status === "nothing") return;
      expect((await refusals[Number(status)]!(id)).status).toBe(Number(status));
    },
    20_000,
  );
});

describe("the document", () => {
  it("has every operation covered by this test", () => {
    expect(Object.keys(examples).sort()).toEqual([...ids].sort());
  });

  it("lists exactly the response headers that are served, for each status", async () => {
    await api.post("/v1/sessions/none/chat", { content: "x" }, { claims: { plan: "tiny" }, user: "limited" });
    const limited = await api.post(
      "/v1/sessions/none/chat",
      { content: "x" },
      { claims: { plan: "tiny" }, user: "limited" },
    );
    expect(limited.status).toBe(429);
    expect(limited.headers).toMatchObject({ "retry-after": expect.any(String), ratelimit: expect.any(String) });
    const options = keyed(fresh("key"));
    for (const replayed of [undefined, "true"]) {
      const { status, headers } = await api.post("/v1/sessions/none/reset", undefined, options);
      expect([status, headers["idempotency-replayed"]]).toEqual([404, replayed]);
    }
    for (const name of Object.keys(responseHeaders)) {
      const statuses = [...served].filter(([key, seen]) => /^headers of \d+$/.test(key) && seen.has(name));
      expect([name, statuses.length > 0]).toEqual([name, true]);
    }
    for (const [status, header] of [
      ["401", "www-authenticate"],
      ["409", "retry-after"],
      ["404", "idempotency-replayed"],
      ["201", "location"],
    ] as const) {
      expect(served.get(`headers of ${status}`)).toContain(header);
    }
  });

  it("describes the format of an Idempotency-Key and an X-User-Id", () => {
    const { paths } = createOpenapi("0") as {
      paths: Record<string, Record<string, { parameters: { name: string; schema: object }[] }>>;
    };
    const parameters = paths["/v1/sessions"]!.post!.parameters;
    const of = (name: string) => parameters.find((parameter) => parameter.name === name)?.schema;
    expect(of("Idempotency-Key")).toMatchObject({ type: "string", pattern: "^[\\x21-\\x7e]{1,255}$" });
    expect(of("X-User-Id")).toMatchObject({ type: "string", minLength: 1, maxLength: 255 });
    expect(paths["/v1/chat/completions"]!.post!.parameters.map(({ name }) => name)).toContain("X-Session-Id");
    expect(paths["/v1/sessions/{id}"]!.get!.parameters.map(({ name }) => name)).toContain("If-None-Match");
  });
});
