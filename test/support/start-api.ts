import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { APIGatewayProxyEvent, Context } from "aws-lambda";
import { expect, vi } from "vitest";
import { createCleanupSessions } from "../../functions/admin/cleanup-sessions.ts";
import { createListAudit } from "../../functions/audit/list.ts";
import { createCreateErasure } from "../../functions/erasures/create.ts";
import { createGetErasure } from "../../functions/erasures/get.ts";
import { createCreateEvent } from "../../functions/events/create.ts";
import { createCreateExport } from "../../functions/exports/create.ts";
import { createGetExport } from "../../functions/exports/get.ts";
import { createCreateFile } from "../../functions/files/create.ts";
import { createDeleteFile } from "../../functions/files/delete.ts";
import { createGetFile } from "../../functions/files/get.ts";
import { createListFiles } from "../../functions/files/list.ts";
import { createGetAuthorizationServer } from "../../functions/mcp/authorization-server.ts";
import { createCallMcp } from "../../functions/mcp/call.ts";
import { createGetProtectedResource } from "../../functions/mcp/protected-resource.ts";
import { createRegisterClient } from "../../functions/mcp/register.ts";
import { createDeleteMemory } from "../../functions/memories/delete.ts";
import { createDeleteMemories } from "../../functions/memories/delete-all.ts";
import { createListMemories } from "../../functions/memories/list.ts";
import { createSearchMemories } from "../../functions/memories/search.ts";
import { createAppendMessages } from "../../functions/messages/append.ts";
import { createDeleteMessage } from "../../functions/messages/delete.ts";
import { createListMessages } from "../../functions/messages/list.ts";
import { createCreateSession } from "../../functions/sessions/create.ts";
import { createDeleteSession } from "../../functions/sessions/delete.ts";
import { createGetSession } from "../../functions/sessions/get.ts";
import { createListSessions } from "../../functions/sessions/list.ts";
import { createPatchSession } from "../../functions/sessions/patch.ts";
import { createResetSession } from "../../functions/sessions/reset.ts";
import { createRestoreSession } from "../../functions/sessions/restore.ts";
import { createGetSettings } from "../../functions/settings/get.ts";
import { createPatchSettings } from "../../functions/settings/patch.ts";
import { createHealth } from "../../functions/system/health.ts";
import { createGetOpenapi } from "../../functions/system/openapi.ts";
import { createAuditOutbox, createOutboxReader } from "../../shared/audit/audit-outbox.dynamodb.ts";
import { createAuditStore } from "../../shared/audit/audit-store.dynamodb.ts";
import { writeRecords } from "../../shared/audit/write-records.ts";
import { gateWrites } from "../../shared/dynamodb/gate-writes.ts";
import { createTable } from "../../shared/dynamodb/table.ts";
import { createWriteProbe } from "../../shared/dynamodb/write-probe.ts";
import { createEventStore } from "../../shared/events/event-store.dynamodb.ts";
import { createExportObjects } from "../../shared/exports/export-objects.s3.ts";
import { createExportStore } from "../../shared/exports/export-store.dynamodb.ts";
import type { HttpDependencies, HttpHandler } from "../../shared/http/chain.ts";
import type { Operation, OperationId } from "../../shared/http/operations.ts";
import { SECURITY_HEADERS } from "../../shared/http/response-headers.ts";
import { createIdempotencyStore } from "../../shared/idempotency/idempotency-store.dynamodb.ts";
import { forgetMemory } from "../../shared/memory/forget.ts";
import { createSearch } from "../../shared/memory/recall.ts";
import { createErasureStore } from "../../shared/privacy/erasure-store.dynamodb.ts";
import { createPrivacyKey } from "../../shared/privacy/receipt.ts";
import { createFaults } from "./create-faults.ts";
import { createRouter } from "./create-router.ts";
import { expectDocumented, type Served, servedBy } from "./documented.ts";
import { type Engines, startEngines } from "./engines.ts";
import { createMemoryWorld, type MemoryWorld } from "./memory-world.ts";

export const ORIGIN = "https://chat.example.com";
export const VERSION = "1.2.3";

const REDIRECT_URLS = ["http://localhost", "https://agent.example/callback"];
export const ISSUER = "https://issuer.example.com/pool";

/** The default lifetime of sessions in these tests, in seconds. */
export const DEFAULT_TTL = 3600;

export interface Call {
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, without JSON encoding. */
  raw?: string;
  /** Sent in base64, as API Gateway passes binary bodies. */
  bytes?: Uint8Array;
  headers?: Record<string, string>;
  /** The token's `sub`; `null` = no token. @default "ann" */
  user?: string | null;
  /** Milliseconds until the function is stopped. @default 29,000 */
  remaining?: number;
  /** The path in the URL. @default without a stage */
  stagePath?: string;
  /** Further values from the authorizer. */
  claims?: Record<string, string>;
}

export interface Reply {
  status: number;
  headers: Record<string, string>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  body: any;
  text: string;
}

export interface ApiOptions {
  /** Handlers of further operations. */
  others?: (world: MemoryWorld, http: HttpDependencies, engines: Engines) => Partial<Record<OperationId, HttpHandler>>;
  /** Called with every answer. */
  onServed?: (operation: OperationId, served: Served) => void;
}

/** Starts the API in this process, on the embedded engines, with the clock and the faults of a world. */
export async function startApi({ others = () => ({}), onServed = () => undefined }: ApiOptions = {}) {
  const engines = await startEngines();
  const world = createMemoryWorld(engines);
  const faults = createFaults(engines.dynamodb);
  const logged: string[] = [];
  const silenced = [
    vi.spyOn(console, "error").mockImplementation((line) => void logged.push(String(line))),
    vi.spyOn(console, "log").mockImplementation(() => undefined),
  ];
  const { stores, table } = world;
  const metrics = gateWrites(createTable(engines.dynamodb, engines.metricsTable));
  const outbox = createTable(engines.dynamodb, "audit-outbox");
  const audit = createAuditStore(createTable(engines.dynamodb, "audit"));
  const pseudonyms = async () => (user: string) => `hash of ${user}`;
  const http = { clock: stores.clock, corsOrigins: [ORIGIN], persons: world.persons, audit: createAuditOutbox(outbox) };
  const posts = { ...http, ...stores, idempotency: createIdempotencyStore(world.ungated) };
  const key = createPrivacyKey("a secret");
  const erasing = { erasures: createErasureStore(world.ungated), openKey: async () => key };
  const files = { ...posts, files: world.files, objects: world.fileObjects };
  const exports = createExportStore(world.exportTable);
  const handlers: Partial<Record<OperationId, HttpHandler>> = {
    getHealth: createHealth({ ...http, ...stores, tryWrite: createWriteProbe(table, stores.clock), version: VERSION }),
    getOpenapi: createGetOpenapi({ ...http, version: VERSION }),
    createSession: createCreateSession({ ...posts, defaultTtlSeconds: DEFAULT_TTL }),
    listSessions: createListSessions({ ...http, ...stores }),
    getSession: createGetSession({ ...http, ...stores }),
    patchSession: createPatchSession({ ...http, ...stores }),
    deleteSession: createDeleteSession({ ...http, ...stores }),
    resetSession: createResetSession(posts),
    restoreSession: createRestoreSession(posts),
    listMessages: createListMessages({ ...http, ...stores }),
    appendMessages: createAppendMessages(posts),
    deleteMessage: createDeleteMessage({ ...http, ...stores }),
    cleanupSessions: createCleanupSessions(posts),
    searchMemories: createSearchMemories({ ...posts, memories: world.memories, recall: createSearch(world.deps) }),
    listMemories: createListMemories({ ...http, memories: world.memories }),
    deleteMemory: createDeleteMemory({ ...http, memories: world.memories }),
    deleteMemories: createDeleteMemories({ ...http, memories: world.memories }),
    callMcp: createCallMcp({
      ...posts,
      uploads: files,
      recall: createSearch(world.deps),
      forget: (user, memory) => forgetMemory(world.memories, user, memory),
      defaultTtlSeconds: DEFAULT_TTL,
      version: VERSION,
    }),
    getProtectedResource: createGetProtectedResource({ ...http, issuer: ISSUER, redirectUrls: REDIRECT_URLS }),
    getAuthorizationServer: createGetAuthorizationServer({
      ...http,
      discover: async () => ({
        authorization_endpoint: `${ISSUER}/authorize`,
        token_endpoint: `${ISSUER}/token`,
      }),
    }),
    registerClient: createRegisterClient({ ...http, clientId: "public-client", redirectUrls: REDIRECT_URLS }),
    createEvent: createCreateEvent({ ...posts, events: createEventStore(metrics) }),
    getSettings: createGetSettings(http),
    patchSettings: createPatchSettings({ ...http, choices: world.persons }),
    listAudit: createListAudit({ ...http, records: audit, pseudonyms }),
    createExport: createCreateExport({ ...posts, exports }),
    getExport: createGetExport({ ...http, exports, objects: createExportObjects(world.s3, engines.bucket) }),
    createErasure: createCreateErasure({ ...posts, ...erasing }),
    getErasure: createGetErasure({ ...http, ...erasing }),
    createFile: createCreateFile(files),
    listFiles: createListFiles(files),
    getFile: createGetFile(files),
    deleteFile: createDeleteFile(files),
    ...others(world, http, engines),
  };
  const routeOf = createRouter(handlers);

  async function call(method: string, url: string, options: Call = {}): Promise<Reply> {
    const [path = "", search = ""] = url.split("?");
    const route = routeOf(method, path);
    if (!route) throw new Error(`no route ${method} ${path}`);
    const requestId = randomUUID();
    const event = eventOf(route.operation, method, path, search, requestId, options, stores.clock());
    event.pathParameters = route.pathParameters;
    const context = { getRemainingTimeInMillis: () => options.remaining ?? 29_000 } as Context;
    const answer = await route.handler(event, context);
    const text = await textOf(answer.body);
    const headers = answer.headers as Record<string, string>;
    const isJson = text !== "" && headers["content-type"]?.includes("json");
    const reply = { status: answer.statusCode, headers, body: isJson ? JSON.parse(text) : undefined, text };
    expectConventions(route.operation, reply, requestId);
    const served = servedBy({ ...reply, hasBody: reply.text !== "" });
    expectDocumented(route.id, served);
    onServed(route.id, served);
    return reply;
  }

  /** Writes the audit records of all notes in the outbox. */
  const writeAudit = async () => {
    const deps = { audit, outbox: createOutboxReader(outbox), pseudonym: await pseudonyms(), clock: stores.clock };
    for await (const notes of deps.outbox.before("~")) if (notes.length > 0) await writeRecords(deps, notes);
  };

  return {
    call,
    writeAudit,
    engines,
    world,
    faults,
    /** The logged errors, one line of JSON each. */
    logged,
    get: (url: string, options?: Call) => call("GET", url, options),
    post: (url: string, body?: unknown, options?: Call) => call("POST", url, { body, ...options }),
    patch: (url: string, body?: unknown, options?: Call) => call("PATCH", url, { body, ...options }),
    del: (url: string, options?: Call) => call("DELETE", url, options),
    async close() {
      for (const spy of silenced) spy.mockRestore();
      await engines.close();
    },
  };
}

export type Api = Awaited<ReturnType<typeof startApi>>;

/** Reads the body of an answer, which may be a stream. */
const textOf = async (body: string | Readable): Promise<string> => (typeof body === "string" ? body : text(body));

/** Creates the event of a proxy integration, with the values from the authorizer. */
function eventOf(
  operation: Operation,
  method: string,
  path: string,
  search: string,
  requestId: string,
  { body, raw, bytes, headers = {}, user = "ann", claims = {}, stagePath = path }: Call,
  now: number,
): APIGatewayProxyEvent {
  const exp = Math.floor(now / 1000) + 3600;
  const text = raw ?? (body === undefined ? null : JSON.stringify(body));
  return {
    resource: operation.path,
    path,
    httpMethod: method,
    headers,
    queryStringParameters: search === "" ? null : Object.fromEntries(new URLSearchParams(search)),
    body: bytes ? Buffer.from(bytes).toString("base64") : text,
    isBase64Encoded: bytes !== undefined,
    requestContext: {
      requestId,
      domainName: "api.example.com",
      path: stagePath,
      ...(user === null
        ? {}
        : { authorizer: { sub: user, exp: String(exp), admin: "false", act_as: "false", plan: "", ...claims } }),
    },
  } as unknown as APIGatewayProxyEvent;
}

/** Checks what is true for every answer: its schema, its headers, and that problems contain no internals. */
function expectConventions(operation: Operation, { status, headers, body, text }: Reply, requestId: string): void {
  const caching =
    (operation.events ?? operation.media) && status === 200 ? { "cache-control": expect.any(String) } : {};
  const policy = operation.media && status === 200 ? { "content-security-policy": expect.any(String) } : {};
  const own = { ...caching, ...policy, "x-request-id": requestId, vary: "origin" };
  expect(headers).toMatchObject({ ...SECURITY_HEADERS, ...own });
  if (operation.media?.includes(headers["content-type"]?.split(";")[0] ?? "")) return;
  if (operation.events && headers["content-type"]?.startsWith("text/event-stream")) return;
  const isProblem = headers["content-type"] === "application/problem+json";
  if (status in operation.answers && !isProblem) {
    const schema = operation.answers[status];
    if (schema) expect(schema.parse(body)).toEqual(body);
    else expect(text).toBe("");
    return;
  }
  expect(headers["content-type"]).toBe("application/problem+json");
  expect(body).toMatchObject({ type: `urn:memocha:problem:${body.code}`, status, request_id: expect.any(String) });
  expect(Object.keys(body)).toEqual(expect.arrayContaining(["title", "detail"]));
  expect(text).not.toMatch(/\.ts:|node_modules|TransactionCanceled|Exception/);
  if (status === 503 || status === 429) expect(Number(headers["retry-after"])).toBeGreaterThan(0);
}

/** Reads all pages of a list. `between` runs after each page. */
export async function pages(
  api: Api,
  url: string,
  options: Call & { between?: (page: number) => Promise<unknown> } = {},
  // biome-ignore lint/suspicious/noExplicitAny: items of every list.
): Promise<any[][]> {
  const { between, ...call } = options;
  const all = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const { status, body } = await api.get(
      `${url}${url.includes("?") ? "&" : "?"}${cursor ? `cursor=${cursor}` : ""}`,
      call,
    );
    expect(status).toBe(200);
    all.push(body.data);
    cursor = body.next_cursor;
    await between?.(all.length);
  }
  return all;
}
