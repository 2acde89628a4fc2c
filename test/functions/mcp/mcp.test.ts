import {
  Client,
  discoverOAuthServerInfo,
  registerClient,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, ISSUER, startApi } from "../../support/start-api.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const METADATA = "/.well-known/oauth-protected-resource";
const URL_OF_MCP = new URL("https://api.example.com/prod/mcp");
const REVISIONS = ["2026-07-28", "2025-06-18"] as const;

/** The SDK's client of a user, whose requests reach the handler as API Gateway passes them on. */
async function connect(user: string, revision: (typeof REVISIONS)[number] = "2026-07-28"): Promise<Client> {
  const fetch = async (_url: unknown, init: RequestInit = {}): Promise<Response> => {
    if (init.method !== "POST") return new Response(null, { status: 405 });
    const headers = Object.fromEntries(new Headers(init.headers));
    const reply = await api.call("POST", "/mcp", { raw: String(init.body), user, headers, stagePath: "/prod/mcp" });
    return new Response(reply.status === 202 ? null : reply.text, { status: reply.status, headers: reply.headers });
  };
  const client = new Client(
    { name: "test", version: "1.0.0" },
    revision === "2026-07-28" ? { versionNegotiation: { mode: { pin: revision } } } : {},
  );
  await client.connect(new StreamableHTTPClientTransport(URL_OF_MCP, { fetch: fetch as typeof globalThis.fetch }));
  return client;
}

async function call(client: Client, name: string, args: Record<string, unknown>) {
  const { isError = false, content, structuredContent } = await client.callTool({ name, arguments: args });
  const [first] = content as { text: string }[];
  // biome-ignore lint/suspicious/noExplicitAny: each tool has a result of its own.
  return { isError, text: first?.text ?? "", result: structuredContent as any };
}

describe.each(REVISIONS)("the MCP server at revision %s", (revision) => {
  const user = `mia-${revision}`;

  it("names itself and describes each tool with its annotations", async () => {
    const client = await connect(user, revision);
    expect(client.getServerVersion()).toMatchObject({ name: "memocha", version: "1.2.3" });
    expect(client.getInstructions()).toContain("Search its memories");
    const { tools } = await client.listTools();
    const effects = tools.map(({ name, annotations = {} }) => [
      name,
      annotations.readOnlyHint ? "reads" : annotations.destructiveHint ? "destroys" : "adds",
    ]);
    expect(Object.fromEntries(effects)).toEqual({
      search_memories: "reads",
      remember: "adds",
      forget: "destroys",
      list_sessions: "reads",
      read_session: "reads",
      append_messages: "adds",
    });
    expect(tools.every(({ description = "" }) => description.length > 40)).toBe(true);
  });

  it("remembers a note, finds it again, and forgets it", async () => {
    const client = await connect(user, revision);
    const { result } = await call(client, "remember", { content: "The user's cat is called Momo." });
    expect(result).toEqual({ session_id: "notes", message_id: expect.any(String) });
    await api.world.deliver(user, "notes");
    const found = await call(client, "search_memories", { query: "What is the cat called?" });
    expect(found.result.memories).toMatchObject([
      { content: "The user's cat is called Momo.", message_id: result.message_id },
    ]);
    const memory_id = found.result.memories[0].id;
    expect((await call(client, "forget", { memory_id })).result).toEqual({ forgotten: memory_id });
    expect((await call(client, "search_memories", { query: "cat" })).result.memories).toEqual([]);
    expect(await call(client, "forget", { memory_id })).toMatchObject({
      isError: true,
      text: "no such memory. Find ids with list_sessions or search_memories.",
    });
  });

  it("appends to a new session, lists it, and reads it page by page", async () => {
    const client = await connect(user, revision);
    const messages = ["one", "two", "three"].map((content, n) => ({ role: "user", content, id: `m${n}` }));
    const target = { session_id: "trip", title: "The trip", messages };
    expect((await call(client, "append_messages", target)).result.messages).toHaveLength(3);
    // A model that repeats the call stores nothing twice.
    expect((await call(client, "append_messages", target)).result.messages).toHaveLength(3);
    const { sessions } = (await call(client, "list_sessions", { limit: 1 })).result;
    expect(sessions).toMatchObject([{ id: "trip", title: "The trip", message_count: 3 }]);
    const first = (await call(client, "read_session", { session_id: "trip", limit: 2 })).result;
    const rest = (await call(client, "read_session", { session_id: "trip", limit: 2, cursor: first.next_cursor }))
      .result;
    expect([...first.messages, ...rest.messages].map(({ content }) => content)).toEqual(["one", "two", "three"]);
    expect(rest.next_cursor).toBeNull();
  });

  it("offers sessions as resources", async () => {
    const client = await connect(user, revision);
    await call(client, "append_messages", { session_id: "a:b", messages: [{ role: "user", content: "hello" }] });
    const { resources } = await client.listResources();
    const uri = resources.map((one) => one.uri).find((one) => one.endsWith("a%3Ab"));
    expect(uri).toBe("memocha://sessions/a%3Ab");
    const { contents } = await client.readResource({ uri: uri ?? "" });
    expect(JSON.parse((contents[0] as { text: string }).text)).toMatchObject({
      session: { id: "a:b" },
      messages: [{ content: "hello" }],
    });
  });

  it.each([
    ["memocha://sessions/none", "no such session. Find addresses with resources/list."],
    ["memocha://sessions/%zz", "no such address. Find addresses with resources/list."],
    ["memocha://files/none", "no such file. Find addresses with resources/list."],
    ["memocha://others/none", "Resource not found: memocha://others/none"],
  ])("answers that the resource %s does not exist, with its address", async (uri, message) => {
    const client = await connect(user, revision);
    // The revision of 2026-07-28 requires the code -32602. The SDK answers it at earlier revisions, too.
    await expect(client.readResource({ uri })).rejects.toMatchObject({ code: -32_602, message, data: { uri } });
  });

  it("offers uploaded files as resources: text as text, others in base64, and large ones by their URL", async () => {
    const client = await connect(user, revision);
    const upload = async (filename: string, media_type: string, content: Uint8Array) => {
      const { body } = await api.post("/v1/files", { filename, media_type, bytes: content.length }, { user });
      await fetch(body.upload.url, { method: "PUT", headers: body.upload.headers, body: Buffer.from(content) });
      return `memocha://files/${body.id}`;
    };
    const read = async (uri: string) => (await client.readResource({ uri })).contents[0] as { text: string };
    const note = await upload("note.txt", "text/plain", Buffer.from("Grüße"));
    const image = await upload("dot.png", "image/png", Buffer.from([0x89, 0x50, 0xff]));
    const large = await upload("large.txt", "text/plain", Buffer.alloc(3 * 1024 * 1024 + 1, "x"));
    const empty = await api.post("/v1/files", { filename: "late.txt", media_type: "text/plain", bytes: 4 }, { user });

    const { resources } = await client.listResources();
    const listed = new Map(resources.map(({ uri, name, mimeType, size }) => [uri, { name, mimeType, size }]));
    expect(listed.get(note)).toEqual({ name: "note.txt", mimeType: "text/plain", size: 7 });
    expect([...listed.keys()].filter((uri) => uri.includes("/files/")).sort()).toEqual([large, image, note].sort());

    expect(await read(note)).toEqual({ uri: note, mimeType: "text/plain", text: "Grüße" });
    expect(await read(image)).toEqual({ uri: image, mimeType: "image/png", blob: "iVD/" });
    const { url, ...about } = JSON.parse((await read(large)).text);
    expect(about).toEqual({ filename: "large.txt", bytes: 3 * 1024 * 1024 + 1, status: "ready" });
    expect((await fetch(url)).status).toBe(200);
    const late = JSON.parse((await read(`memocha://files/${empty.body.id}`)).text);
    expect(late).toMatchObject({ status: "uploading", url: null });
    const other = await connect(`eve-${revision}`, revision);
    await expect(other.readResource({ uri: note })).rejects.toThrow("no such file. Find addresses with");
    expect((await other.listResources()).resources).toEqual([]);
    await expect(client.readResource({ uri: "memocha://files/..%2Fx" })).rejects.toThrow("no such file");
  });

  it("answers wrong arguments and cursors with a result that tells the model what to do", async () => {
    const client = await connect(user, revision);
    const wrong = async (name: string, args: Record<string, unknown>) => {
      const { isError, text } = await call(client, name, args);
      return isError ? text : `no error: ${text}`;
    };
    expect(await wrong("search_memories", { query: "" })).toContain("query");
    expect(await wrong("remember", { content: "  " })).toContain("content");
    expect(await wrong("remember", { content: "x".repeat(300 * 1024 + 1) })).toContain("content");
    expect(await wrong("read_session", { session_id: "none" })).toContain("no such session");
    expect(await wrong("list_sessions", { cursor: "abc" })).toContain("without a cursor");
    expect(await wrong("append_messages", { session_id: "trip", messages: [] })).toContain("messages");
    expect(
      await wrong("search_memories", { query: "x", from: "2026-02-01T00:00:00Z", to: "2026-01-01T00:00:00Z" }),
    ).toContain("from");
    const { sessions: _, next_cursor } = (await call(client, "list_sessions", { limit: 1 })).result;
    expect(await wrong("list_sessions", { limit: 1, status: "active", cursor: next_cursor })).toContain("cursor");
    expect(await wrong("nothing", {}).catch(String)).toContain("nothing");
  });

  it("keeps users apart", async () => {
    const [mine, other] = [await connect(user, revision), await connect(`eve-${revision}`, revision)];
    await call(mine, "append_messages", {
      session_id: "secret",
      messages: [{ role: "user", content: "my code is 7" }],
    });
    await api.world.deliver(user, "secret");
    const { memories } = (await call(mine, "search_memories", { query: "code" })).result;
    expect(memories).toHaveLength(1);
    expect((await call(other, "read_session", { session_id: "secret" })).isError).toBe(true);
    expect((await call(other, "forget", { memory_id: memories[0].id })).isError).toBe(true);
    expect((await call(other, "search_memories", { query: "code" })).result.memories).toEqual([]);
    expect((await call(other, "list_sessions", {})).result.sessions).toEqual([]);
    expect((await call(mine, "search_memories", { query: "code" })).result.memories).toHaveLength(1);
  });
});

/** Calls with arguments, methods and headers made at random. */
const HOSTILE_CALLS = Number(process.env.MCP_CALLS ?? 300);

describe("a client that registers itself", () => {
  const fetch = async (url: string | URL, init: RequestInit = {}): Promise<Response> => {
    const { pathname } = new URL(url);
    if (!pathname.startsWith("/prod/") || pathname.includes("openid")) return new Response(null, { status: 404 });
    const reply = await api.call(init.method ?? "GET", pathname.slice("/prod".length), {
      ...(init.body ? { raw: String(init.body) } : {}),
      user: null,
      stagePath: pathname,
    });
    return new Response(reply.text, { status: reply.status, headers: reply.headers });
  };

  it("finds the issuer's endpoints and gets the deployment's public client", async () => {
    const resourceMetadataUrl = new URL(`https://api.example.com/prod${METADATA}`);
    const found = await discoverOAuthServerInfo(URL_OF_MCP, { fetchFn: fetch, resourceMetadataUrl });
    expect(found.resourceMetadata?.resource).toBe(String(URL_OF_MCP));
    const { body } = await api.get("/.well-known/oauth-authorization-server", {
      user: null,
      stagePath: "/prod/.well-known/oauth-authorization-server",
    });
    expect(body).toMatchObject({
      issuer: "https://api.example.com/prod",
      token_endpoint: `${ISSUER}/token`,
      code_challenge_methods_supported: ["S256"],
    });
    const client = await registerClient("https://api.example.com/prod", {
      metadata: body,
      clientMetadata: { client_name: "Agent", redirect_uris: ["http://127.0.0.1:4321/callback"] },
      fetchFn: fetch,
    });
    expect(client).toMatchObject({ client_id: "public-client", token_endpoint_auth_method: "none" });
  });

  it("is refused when its redirect URL is not allowed", async () => {
    const register = (url: string) =>
      api.post("/oauth/register", { redirect_uris: ["https://agent.example/callback", url] }, { user: null });
    expect((await register("https://agent.example/callback")).status).toBe(201);
    for (const url of ["https://evil.example/", "http://localhost.evil.example/", "https://localhost/", "x", ""]) {
      const { status, body } = await register(url);
      expect([status, body.error]).toEqual([400, "invalid_redirect_uri"]);
    }
    expect((await api.post("/oauth/register", { redirect_uris: [] }, { user: null })).status).toBe(400);
  });
});

describe("a request to /mcp", () => {
  const initialize = { jsonrpc: "2.0", id: 1, method: "ping" };

  it("acts for another user only with the scope act-as", async () => {
    const headers = { "x-user-id": "zoe" };
    const send = (act_as: string) => api.post("/mcp", initialize, { user: "backend", headers, claims: { act_as } });
    expect((await send("false")).status).toBe(403);
    expect((await send("true")).status).toBe(200);
  });

  it("must not be a batch, because a batch would count as one request", async () => {
    const params = { name: "remember", arguments: { content: "I like figs." } };
    const batch = [1, 2].map((id) => ({ jsonrpc: "2.0", id, method: "tools/call", params }));
    const { status, body } = await api.post("/mcp", batch, { user: "batch" });
    expect([status, body.error.code]).toEqual([400, -32_600]);
    expect((await api.get("/v1/sessions/notes", { user: "batch" })).status).toBe(404);
  });

  it("must not be a subscription, because it would never end", async () => {
    const body = {
      jsonrpc: "2.0",
      id: 1,
      method: "subscriptions/listen",
      params: {
        notifications: { toolsListChanged: true },
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
          "io.modelcontextprotocol/clientCapabilities": {},
        },
      },
    };
    const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" };
    expect((await api.post("/mcp", body, { headers })).text).toContain("Subscription limit reached");
  });

  it(
    "never causes a 5xx or shows another user's data, with any content",
    async () => {
      const owner = await connect("owner");
      await call(owner, "append_messages", { session_id: "kept", messages: [{ role: "user", content: "TOP-SECRET" }] });
      const names = ["search_memories", "remember", "forget", "list_sessions", "read_session", "append_messages", "x"];
      const ids = fc.constantFrom(
        "kept",
        "../kept",
        "owner#S#kept",
        "U#owner#S#kept",
        "%2e%2e",
        "\r\nX-User-Id: owner",
        "",
      );
      const values = fc.oneof(ids, fc.jsonValue({ maxDepth: 4 }), fc.constant("x".repeat(400_000)));
      const keys = fc.constantFrom(
        "session_id",
        "memory_id",
        "query",
        "content",
        "messages",
        "cursor",
        "limit",
        "user_id",
        "id",
      );
      const args = fc.dictionary(keys, values, { maxKeys: 4 });
      const methods = fc.constantFrom("tools/call", "tools/call", "resources/read", "initialize", "tools/list", "x");
      const kind = fc.constantFrom("sessions", "files", "x");
      const request = fc.record({ method: methods, name: fc.constantFrom(...names), arguments: args, kind, uri: ids });
      await fc.assert(
        fc.asyncProperty(request, async ({ method, ...params }) => {
          const uri = `memocha://${params.kind}/${params.uri}`;
          const body = { jsonrpc: "2.0", id: 1, method, params: { ...params, uri } };
          const reply = await api.post("/mcp", body, { user: "eve" });
          expect(reply.status).toBeLessThan(500);
          expect(reply.text).not.toContain("TOP-SECRET");
        }),
        { numRuns: HOSTILE_CALLS },
      );
    },
    30_000 + 20 * HOSTILE_CALLS,
  );
});
