import { setTimeout as sleep } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { DeleteCommand, DynamoDBDocumentClient, GetCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { expect } from "vitest";
import type { Host } from "../../infra/local/host.ts";
import { createAuditStore } from "../../shared/audit/audit-store.dynamodb.ts";
import { anchorKey, fileKey, headerKey, openErasureKey } from "../../shared/dynamodb/keys.ts";
import { createTable } from "../../shared/dynamodb/table.ts";
import { createEventStore } from "../../shared/events/event-store.dynamodb.ts";
import { createRecorder } from "../../shared/metrics/recorder.dynamodb.ts";
import { timeOrderedId } from "../../shared/session/message.ts";
import { readItems, readKeys, type StoredItems, tableName } from "./read-stored.ts";

/** Who uses everything. No log line contains this text. */
export const USER = "ann.person@example.com";
const DAY = 86_400_000;

/** Milliseconds for which a function may search the vectors that were in use before, and some more. */
const LAYOUT_FRESH = 6000;

/** Milliseconds that the host may take to notice what a step has changed. */
const PATIENCE = 60_000;

/** What a full run has said and stored. */
export interface Used {
  /** The texts of the user that the requests had. */
  texts: Set<string>;
  /** The items that were stored until the erasure of the user, also those that are deleted by now, and those that it has stored. */
  items: StoredItems;
  /** The keys of all objects before the erasure. */
  keys: string[];
}

/**
 * Uses every route and every job of a running host, in each way that reaches another store. The host has to sweep expired items every second, and
 * to embed by a model that is called.
 */
export async function useEverything(host: Host): Promise<Used> {
  const operator = createOperator(host);
  const texts = new Set<string>();
  const api = await createApi(host, texts);
  try {
    await everyday(api);
    await files(api, operator);
    await answers(api);
    await expired(api, operator);
    await exports(api);
    await agents(api, operator);
    await memories(api, operator);
    await forgetfulUser(await createApi(host, texts, "forgetful@example.com"));
    await limbo(api, operator);
    await metrics(api, operator);
    await audit(api);
    for (const job of ["jobs-reconcile", "jobs-housekeeping", "jobs-watch", "jobs-measure"]) await operator.run(job);
    await api("GET", "/v1/state");
    const [items, keys] = [await readItems(host), await readKeys(host)];
    await erasure(api, operator);
    return { texts, items: [...items, ...(await readItems(host))], keys };
  } finally {
    operator.close();
  }
}

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the tests of the contract hold the shapes
  body: any;
  headers: Headers;
}

type Api = (
  method: string,
  route: string,
  body?: object,
  headers?: Record<string, string>,
  /** An error that is as good as an answer. */
  error?: number,
) => Promise<Answer>;

/**
 * Calls the API as one user who is an admin, too, and each POST twice with the same key. Fails at the first answer that is an error. Adds what the
 * user says to `texts`.
 */
async function createApi({ url, token }: Host, texts: Set<string>, user = USER): Promise<Api> {
  const authorization = `Bearer ${await token({ user, admin: true })}`;
  let count = 0;

  async function call(...[method, route, body, headers, error]: Parameters<Api>): Promise<Answer> {
    JSON.stringify(body ?? {}, (name, value) => {
      if (typeof value === "string" && SAID.has(name)) texts.add(value);
      return value;
    });
    const response = await fetch(url + route, {
      method,
      headers: { authorization, ...(body && { "content-type": "application/json" }), ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.status !== error) expect(response.status, `${method} ${route}: ${text}`).toBeLessThan(400);
    const isJson = text !== "" && response.headers.get("content-type")?.includes("json");
    return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
  }

  return async (method, route, body, headers = {}, error) => {
    if (method !== "POST") return await call(method, route, body, headers, error);
    const keyed = { ...headers, "idempotency-key": `${user}-${count++}` };
    const first = await call(method, route, body, keyed);
    await call(method, route, body, keyed);
    return first;
  };
}

/** What operators and AWS itself do to a deployment. */
interface Operator {
  /** Invokes a job. Fails when the job does. */
  run(job: string, event?: object): Promise<unknown>;
  /** Deletes the header of a session as TTL does, but with no record that tells the archiver so. */
  loseHeader(session: string): Promise<void>;
  /** Has the reconciler look at a session in its next run. */
  makeDue(session: string): Promise<void>;
  /** Has TTL delete a file. */
  expireFile(id: string): Promise<void>;
  /** Has TTL delete the header or the stub of a session. */
  expire(session: string): Promise<void>;
  /** Whether the archiver has written the stub of a session. Before that the API shows the session as archived already. */
  isArchived(session: string): Promise<boolean>;
  /** Makes an erasure as old as that, in milliseconds. */
  ageErasure(id: string, age: number): Promise<void>;
  /** Puts a message into the dead-letter queue. */
  fail(message: object): Promise<void>;
  /** Whether the archiver has ended the existence of a session. */
  isBuried(session: string): Promise<boolean>;
  /** Records a request, an event and an audited action of this time, in epoch milliseconds. */
  recordAt(time: number): Promise<void>;
  close(): void;
}

function createOperator(host: Host): Operator {
  const client = { region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };
  const lambda = new LambdaClient({ ...client, endpoint: host.endpoints.lambda });
  const sqs = new SQSClient({ ...client, endpoint: host.endpoints.sqs });
  const dynamodb = DynamoDBDocumentClient.from(new DynamoDBClient({ ...client, endpoint: host.endpoints.dynamodb }), {
    marshallOptions: { removeUndefinedValues: true },
  });
  const TableName = String(host.outputs.ConversationsTableName);
  const names = host.names("AWS::Lambda::Function");
  const set = (Key: Record<string, string>, name: string, value: unknown) =>
    dynamodb.send(
      new UpdateCommand({
        TableName,
        Key,
        UpdateExpression: "SET #name = :value",
        ConditionExpression: "attribute_exists(pk)",
        ExpressionAttributeNames: { "#name": name },
        ExpressionAttributeValues: { ":value": value },
      }),
    );
  return {
    async run(job, event = {}) {
      const logicalId = Object.keys(names).find((id) => id.startsWith(`${job.replaceAll("-", "")}Function`));
      const input = { FunctionName: names[logicalId ?? ""], Payload: JSON.stringify(event) };
      const { FunctionError, Payload = [] } = await lambda.send(new InvokeCommand(input));
      const answer = Buffer.from(Payload).toString();
      expect(FunctionError, `${job}: ${answer}`).toBeUndefined();
      return JSON.parse(answer);
    },
    loseHeader: async (session) =>
      void (await dynamodb.send(new DeleteCommand({ TableName, Key: headerKey(USER, session) }))),
    makeDue: async (session) => void (await set({ ...anchorKey(USER, session) }, "due_at", new Date(0).toISOString())),
    expireFile: async (id) => void (await set({ ...fileKey(USER, id) }, "expires_at", 1)),
    expire: async (session) => void (await set({ ...headerKey(USER, session) }, "expires_at", 1)),
    async isArchived(session) {
      const { Item } = await dynamodb.send(new GetCommand({ TableName, Key: headerKey(USER, session) }));
      return Item?.archive !== undefined;
    },
    ageErasure: async (id, age) => void (await set({ ...openErasureKey(id) }, "since", Date.now() - age)),
    async isBuried(session) {
      const { Item } = await dynamodb.send(new GetCommand({ TableName, Key: anchorKey(USER, session) }));
      return Item?.state === "deleted";
    },
    async fail(message) {
      const letter = { QueueUrl: String(host.outputs.DeadLetterQueueUrl), MessageBody: JSON.stringify(message) };
      await sqs.send(new SendMessageCommand(letter));
    },
    async recordAt(at) {
      const table = createTable(dynamodb, String(host.outputs.MetricsTableName));
      const dimensions = { route: "GET /v1/sessions", status: "2xx" };
      await createRecorder(table, () => at).record({
        kind: "api.request",
        dimensions,
        measures: { duration_ms: 5 },
        at,
      });
      const id = `event-${at}`;
      await createEventStore(table).add({
        id,
        user_id: USER,
        type: "feedback",
        value: 1,
        created_at: new Date(at).toISOString(),
      });
      const auditId = timeOrderedId({ seed: id, at }, 0);
      const record = { id: auditId, at: new Date(at).toISOString(), actor: "a hash", subject: null, request_id: id };
      await createAuditStore(createTable(dynamodb, tableName(host, "audit"))).add({ ...record, action: "report.read" });
    },
    close() {
      lambda.destroy();
      sqs.destroy();
      dynamodb.destroy();
    },
  };
}

/** The fields of requests that hold what the user says. */
const SAID = new Set(["content", "text", "title", "filename", "data", "query"]);

const said = (content: string) => ({ role: "user", content });

async function everyday(api: Api): Promise<void> {
  await api("GET", "/health");
  await api("GET", "/openapi.json");
  await api("POST", "/v1/sessions", { id: "empty" });
  await api("POST", "/v1/sessions/empty/reset");
  await api("POST", "/v1/sessions", { id: "plain", title: "Plain" });
  const { headers } = await api("GET", "/v1/sessions/plain");
  await api("PATCH", "/v1/sessions/plain", { title: "Plainer" }, { "if-match": headers.get("etag") ?? "" });
  await api("POST", "/v1/sessions/plain/messages", { messages: [said("one"), said("two")] });
  await api("POST", "/v1/sessions/plain/messages", { id: "named", ...said("three") });
  await api("GET", "/v1/sessions/plain/messages?limit=1");
  await api("GET", "/v1/sessions?limit=1");
  await api("POST", "/v1/sessions/plain/reset");
  await api("POST", "/v1/sessions/plain/messages", said("four"));
  await api("DELETE", "/v1/sessions/plain");
  await api("POST", "/v1/sessions", { id: "plain" });
  await api("POST", "/admin/cleanup-sessions?days=7");
  await api("GET", "/v1/usage");
  await api("PATCH", "/v1/settings", { memory: false });
  expect((await api("PATCH", "/v1/settings", { memory: true })).body).toEqual({ memory: true });
  await api("GET", "/v1/settings");
}

/** An export of sessions, archived ones too, and of a file. */
async function exports(api: Api): Promise<void> {
  const file = { filename: "notes.txt", media_type: "text/plain", bytes: 4 };
  const { url, headers } = (await api("POST", "/v1/files", file)).body.upload;
  expect((await fetch(url, { method: "PUT", headers, body: "kept" })).status).toBe(200);
  const { body } = await api("POST", "/v1/exports");
  const read = async () => (await api("GET", `/v1/exports/${body.id}`)).body;
  await expect.poll(async () => (await read()).status, { timeout: PATIENCE }).toBe("ready");
  expect((await fetch((await read()).url)).status).toBe(200);
}

async function audit(api: Api): Promise<void> {
  const records = async (query: string) => (await api("GET", `/v1/audit?${query}`)).body.data.length;
  await expect
    .poll(() => records(`user_id=${encodeURIComponent(USER)}&action=session.delete`), { timeout: PATIENCE })
    .toBeGreaterThan(1);
  expect(await records("limit=1")).toBe(1);
}

/** The erasure of the user, at the end. What is in the lake goes, too. */
async function erasure(api: Api, operator: Operator): Promise<void> {
  const { run, ageErasure } = operator;
  const file = { filename: "late.txt", media_type: "text/plain", bytes: 4 };
  const { upload } = (await api("POST", "/v1/files", file)).body;
  const { id } = (await api("POST", "/v1/erasures", {})).body;
  const receipt = async () => (await api("GET", `/v1/erasures/${id}`)).body;
  const untilDone = async (isDone: () => Promise<boolean>) => {
    // The schedule may be at work on the erasure, too.
    for (let runs = 0; !(await isDone()) && runs < 30; runs++) {
      await run("jobs-erase");
      await sleep(1000);
    }
  };
  for (const error of [`The item U#${USER}#S#plain is too large`, "The item of somebody else is too large"]) {
    await operator.fail({ responsePayload: { errorMessage: error } });
  }
  await run("jobs-erase");
  // Every request that began before it has ended.
  await ageErasure(id, 600_000);
  await untilDone(async () => (await receipt()).status === "complete");
  const { stores } = await receipt();
  expect(stores.filter(({ remaining }: { remaining: number }) => remaining > 0)).toEqual([]);
  const erasedOf = (place: string) => stores.find(({ name }: { name: string }) => name === place).erased;
  expect(erasedOf("rows of the lake")).toBeGreaterThan(0);
  expect(erasedOf("dead letters")).toBe(1);
  expect((await api("GET", "/v1/sessions?status=all")).body.data).toEqual([]);
  expect((await fetch(upload.url, { method: "PUT", headers: upload.headers, body: "late" })).status).toBe(200);
  // No URL that was signed before it is valid any more.
  await ageErasure(id, 2 * 3_600_000);
  await run("jobs-erase");
}

/** Uploads, a session that names them, and what becomes of them. */
async function files(api: Api, { expireFile }: Operator): Promise<void> {
  const upload = async (content: string) => {
    const input = { filename: "notes.txt", media_type: "text/plain", bytes: content.length };
    const { body } = await api("POST", "/v1/files", input);
    const { method, url, headers } = body.upload;
    expect((await fetch(url, { method, headers, body: content })).status).toBe(200);
    return body.id;
  };
  const say = (id: string, ...parts: object[]) => api("POST", `/v1/sessions/${id}/messages`, { role: "user", parts });

  const [unused, named, late, deleted, unsaid] = await Promise.all(
    ["unused", "named", "late", "deleted", "unsaid"].map(upload),
  );
  const { url } = (await api("GET", `/v1/files/${unused}`)).body;
  await api("GET", "/v1/files");
  await readResource(api, `memocha://files/${unused}`);
  await api("DELETE", `/v1/files/${deleted}`);
  await api("POST", "/v1/sessions", { id: "filed" });
  await say("filed", { type: "file", file_id: named }, { type: "file", file_id: late });
  await api("DELETE", `/v1/files/${late}`);
  await api("GET", `/v1/files/${named}`);
  await api("GET", "/v1/files");
  const { body } = await say("filed", { type: "file", file_id: unsaid });
  await api("DELETE", `/v1/sessions/filed/messages/${body.data[0].id}`);
  await api("POST", "/v1/sessions/filed/reset");
  await api("GET", `/v1/files/${named}`, undefined, {}, 404);
  await say("filed", { type: "file", data: "data:text/plain,inline" });
  await api("DELETE", "/v1/sessions/filed");
  expect((await api("GET", "/v1/files")).body.data.map(({ id }: { id: string }) => id)).toEqual([unused]);
  expect(await (await fetch(url)).text()).toBe("unused");
  await expireFile(unused);
  await expect.poll(async () => (await fetch(url)).status, { timeout: PATIENCE }).toBe(404);
}

const toUi = (id: string) => ({
  id,
  messages: [{ id: "question", role: "user", parts: [{ type: "text", text: "What is my dog called?" }] }],
});
const completion = { model: "any", messages: [said("What is my dog called?")] };

async function answers(api: Api): Promise<void> {
  await api("POST", "/v1/sessions", { id: "talk" });
  const { body } = await api("POST", "/v1/sessions/talk/chat", { content: "Which colour do I like?" });
  await api("POST", "/v1/sessions/talk/chat", { content: "I like teal, and my dog is called Rex.", stream: true });
  await api("GET", `/v1/sessions/talk/chat/${body.message.id}/stream`);
  await api("GET", "/v1/sessions/talk/chat/stream");
  await api("GET", "/v1/chat/talk/stream");
  await api("GET", "/v1/chat/talk");
  await api("POST", "/v1/sessions/talk/stop");
  await api("POST", "/v1/chat", toUi("talk"));
  await api("POST", "/v1/chat/completions", { ...completion, metadata: { session_id: "compatible" } });
  await api("POST", "/v1/chat/completions", { ...completion, stream: true }, { "x-session-id": "talk" });
  await api("POST", "/v1/sessions/slow/chat", { content: "Please answer slowly.", stream: true });
  await api("POST", "/v1/sessions/twice/chat", { content: "Please fail once." });
}

/** A user who has nothing remembered any more, without having had everything forgotten. */
async function forgetfulUser(api: Api): Promise<void> {
  await api("POST", "/v1/sessions", { id: "only" });
  await api("POST", "/v1/sessions/only/messages", said("I collect old maps."));
  const all = async () => (await api("GET", "/v1/memories")).body.data;
  await expect.poll(async () => (await all()).length, { timeout: PATIENCE }).toBe(1);
  await api("DELETE", `/v1/memories/${(await all())[0].id}`);
}

async function memories(api: Api, { run }: Operator): Promise<void> {
  const search = async (query: string) => (await api("POST", "/v1/memories/search", { query })).body.data;
  const recall = async (session: string) => {
    await api("POST", "/v1/sessions", { id: session });
    await api("POST", `/v1/sessions/${session}/chat`, { content: "What is my dog called?" });
    await api("POST", "/v1/chat", toUi(session));
    await api("POST", "/v1/chat/completions", completion);
  };
  await expect.poll(async () => (await search("my dog")).length, { timeout: PATIENCE }).toBeGreaterThan(0);
  await branches(api);
  // Words that no memory is indexed by.
  await api("POST", "/v1/memories/search", { query: "is it", session_id: "nothing-said" });
  await recall("before");
  // Another run continues where this one stops, until searches use the other vectors.
  for (let runs = 0; runs < 4; runs++) await run("jobs-reembed", { force: runs === 0 });
  await sleep(LAYOUT_FRESH);
  await search("my dog");
  await recall("after");
  await useTool(api, "search_memories", { query: "my dog" });
  const { data } = (await api("GET", "/v1/memories?limit=1")).body;
  await api("DELETE", `/v1/memories/${data[0].id}`);
  await api("DELETE", "/v1/memories");
  await api("DELETE", "/v1/sessions/talk");
}

/** A session whose memories follow its current branch. */
async function branches(api: Api): Promise<void> {
  const id = "branched";
  const expectFound = async (...texts: string[]) => {
    const found = async () => {
      const { body } = await api("POST", "/v1/memories/search", { query: "my cat", session_id: id });
      return body.data.map(({ content }: { content: string }) => content).sort();
    };
    await expect.poll(found, { timeout: PATIENCE }).toEqual(texts);
  };
  await api("POST", "/v1/sessions", { id });
  const messages = ["My cat is called Tom.", "My cat eats tuna."].map((content, n) => ({
    ...said(content),
    id: `${n}`,
  }));
  await api("POST", `/v1/sessions/${id}/messages`, { messages });
  await expectFound("My cat eats tuna.", "My cat is called Tom.");
  await api("POST", `/v1/sessions/${id}/messages`, { ...said("My cat eats mice."), id: "2", parent_id: "0" });
  await expectFound("My cat eats mice.", "My cat is called Tom.");
  await api("PATCH", `/v1/sessions/${id}`, { head_id: "1" });
  await expectFound("My cat eats tuna.", "My cat is called Tom.");
  await api("DELETE", `/v1/sessions/${id}/messages/1`);
  await expectFound("My cat is called Tom.");
}

/** Sessions that TTL has deleted, and every route that reads one or brings one back. */
async function expired(api: Api, { run, expire, isArchived, isBuried }: Operator): Promise<void> {
  const names = [
    "read",
    "unsaid",
    "asked",
    "appended",
    "patched",
    "restored",
    "reset",
    "deleted",
    "completed",
    "sent",
    "aged",
  ];
  const created_at = new Date(Date.now() - 3 * DAY).toISOString();
  for (const id of names) {
    await api("POST", "/v1/sessions", { id, created_at: id === "deleted" ? created_at : undefined });
    await api("POST", `/v1/sessions/${id}/messages`, { messages: [said(`I am ${id}`), said("!")] });
  }
  const parts = [{ type: "file", data: "data:text/plain,old" }];
  await api("POST", "/v1/sessions/aged/messages", { role: "user", parts });
  const { body } = await api("POST", "/v1/sessions/read/chat", { content: "Who are you?" });
  for (const id of names) await expire(id);
  for (const id of names) await expect.poll(() => isArchived(id), { timeout: PATIENCE }).toBe(true);
  await api("GET", "/v1/sessions/read/messages");
  await api("GET", "/v1/chat/read");
  const unsaid = (await api("GET", "/v1/sessions/unsaid/messages")).body.data[0].id;
  await api("DELETE", `/v1/sessions/unsaid/messages/${unsaid}`);
  await api("GET", `/v1/sessions/read/chat/${body.message.id}/stream`);
  await api("GET", "/v1/sessions?status=archived");
  await run("jobs-lake");
  // The stream may not have marked the day yet.
  await run("jobs-lake", { rebuild: [created_at.slice(0, 10)] });
  await api("POST", "/v1/sessions/asked/chat", { content: "Who are you?" });
  await api("POST", "/v1/chat/completions", completion, { "x-session-id": "completed" });
  await api("POST", "/v1/chat", toUi("sent"));
  await api("POST", "/v1/sessions/appended/messages", said("again"));
  await api("PATCH", "/v1/sessions/patched", { title: "Patched", pinned: true });
  await api("POST", "/v1/sessions/restored/restore");
  await api("POST", "/v1/sessions/reset/reset");
  await api("DELETE", "/v1/sessions/deleted");
  await expire("aged");
  await expect.poll(() => isBuried("aged"), { timeout: PATIENCE }).toBe(true);
  await run("jobs-lake", { rebuild: [created_at.slice(0, 10)] });
}

/** Calls a tool of the MCP server, twice with the same key. */
async function useTool(api: Api, name: string, args: object) {
  const params = { name, arguments: args };
  const { body } = await api("POST", "/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params });
  expect(body.result.isError, JSON.stringify(body)).toBeUndefined();
  return body.result.structuredContent;
}

/** Lists the resources of the MCP server and reads one. */
async function readResource(api: Api, uri: string) {
  await api("POST", "/mcp", { jsonrpc: "2.0", id: 1, method: "resources/list" });
  const { body } = await api("POST", "/mcp", { jsonrpc: "2.0", id: 2, method: "resources/read", params: { uri } });
  expect(body.result.contents, JSON.stringify(body)).toMatchObject([{ uri }]);
}

/** What an agent does over MCP, also with a session that is archived. */
async function agents(api: Api, { expire, isArchived }: Operator): Promise<void> {
  const use = (name: string, args: object) => useTool(api, name, args);
  await api("GET", "/.well-known/oauth-protected-resource");
  await api("GET", "/.well-known/oauth-authorization-server");
  await api("POST", "/oauth/register", { redirect_uris: ["http://localhost:4000/callback"] });
  await use("remember", { content: "I keep bees." });
  await use("list_sessions", {});
  const found = async () => (await use("search_memories", { query: "bees" })).memories;
  await expect.poll(async () => (await found()).length, { timeout: PATIENCE }).toBeGreaterThan(0);
  const [first] = await found();
  await use("append_messages", { session_id: "agent", messages: [said("one")] });
  const parts = [{ type: "file", data: "data:text/plain,inline" }];
  await use("append_messages", { session_id: "agent", messages: [{ role: "user", parts }] });
  await expire("agent");
  await expect.poll(() => isArchived("agent"), { timeout: PATIENCE }).toBe(true);
  await use("read_session", { session_id: "agent" });
  await use("append_messages", { session_id: "agent", messages: [said("two")] });
  const forget = {
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "forget", arguments: { memory_id: first.id } },
  };
  await api("POST", "/mcp", forget);
}

/** Sessions whose header is gone and which no archiver has seen: the first actor that comes archives them. */
async function limbo(api: Api, { run, loseHeader, makeDue }: Operator): Promise<void> {
  const routes: Record<string, () => Promise<unknown>> = {
    get: () => api("GET", "/v1/sessions/limbo-get"),
    list: () => api("GET", "/v1/sessions/limbo-list/messages"),
    ask: () => api("POST", "/v1/sessions/limbo-ask/chat", { content: "Who are you?" }),
    send: () => api("POST", "/v1/chat", toUi("limbo-send")),
    complete: () => api("POST", "/v1/chat/completions", completion, { "x-session-id": "limbo-complete" }),
    append: () => api("POST", "/v1/sessions/limbo-append/messages", said("again")),
    agent: () => useTool(api, "append_messages", { session_id: "limbo-agent", messages: [said("again")] }),
    unsay: async () => {
      const { data } = (await api("GET", "/v1/sessions/limbo-unsay/messages")).body;
      await api("DELETE", `/v1/sessions/limbo-unsay/messages/${data[0].id}`);
    },
    patch: () => api("PATCH", "/v1/sessions/limbo-patch", { title: "Patched" }),
    restore: () => api("POST", "/v1/sessions/limbo-restore/restore"),
    reset: () => api("POST", "/v1/sessions/limbo-reset/reset"),
    delete: () => api("DELETE", "/v1/sessions/limbo-delete"),
    reconcile: () => run("jobs-reconcile"),
    housekeeping: () => run("jobs-housekeeping"),
  };
  for (const [name, use] of Object.entries(routes)) {
    const id = `limbo-${name}`;
    await api("POST", "/v1/sessions", { id });
    await api("POST", `/v1/sessions/${id}/messages`, said("I am lost"));
    await loseHeader(id);
    if (name === "reconcile") await makeDue(id);
    await use();
  }
  // What a restore and a deletion have left, and once more what is left of that.
  await makeDue("limbo-restore");
  await loseHeader("read");
  for (let looks = 0; looks < 2; looks++) {
    await makeDue("read");
    await run("jobs-reconcile");
  }
}

async function metrics(api: Api, { run, recordAt }: Operator): Promise<void> {
  const now = Date.now();
  const lastMonth = new Date(new Date(now).setUTCDate(1)).setUTCHours(0, 0, 0, 0) - 1;
  const month = new Date(lastMonth).toISOString().slice(0, 7);
  for (const at of [now - 2 * 3_600_000, now - DAY, lastMonth]) await recordAt(at);
  await api("POST", "/v1/sessions", { id: "rated" });
  await api("POST", "/v1/events", { type: "feedback", value: 1, session_id: "rated" });
  await run("jobs-fold-hourly", { from: `${month}-01T00` });
  await run("jobs-fold-daily", { from: `${month}-01` });
  await run("jobs-fold-monthly", { from: month });
  await run("jobs-export", { from: `${month}-01` });
  await run("jobs-report", { month });
  await api("GET", "/v1/metrics?name=api.request");
  // On the 31st, requests of the month before are too old to be folded. In the first hour of a month, nothing is known of it.
  await api("GET", `/v1/reports/${month}`, undefined, {}, 404);
  await api("GET", `/v1/reports/${new Date(now).toISOString().slice(0, 7)}`, undefined, {}, 404);
}
