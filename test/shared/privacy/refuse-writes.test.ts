import { PutCommand, paginateScan } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Listening } from "../../../infra/local/listen.ts";
import { personKey } from "../../../shared/dynamodb/keys.ts";
import { type Operation, type OperationId, operations } from "../../../shared/http/operations.ts";
import { createChatWorld } from "../../support/chat-world.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";
import { type Api, startApi } from "../../support/start-api.ts";
import { startChatServer } from "../../support/start-chat-server.ts";

let api: Api;
let fake: FakeOpenAI;
let chat: Listening;
beforeAll(async () => {
  [api, fake] = await Promise.all([startApi(), startFakeOpenAI()]);
  chat = await startChatServer(api.world, createChatWorld(api.world, fake.url).deps);
  for (const id of ["s", "empty"]) await api.post("/v1/sessions", { id });
  await api.post("/v1/sessions/s/messages", { id: "m", role: "user", content: "x" });
  file = (await api.post("/v1/files", { filename: "a", media_type: "text/plain", bytes: 1 })).body.id;
});
afterAll(async () => {
  await Promise.all([chat.close(), fake.close()]);
  await api.close();
});

let file: string;
const MEMORY = "0192f3c1-7a3b-7c1d-8e2f-000000000001";
const message = { id: "u", role: "user", parts: [{ type: "text", text: "x" }] };

/** A valid request of every operation that may write data of its user. */
const requests: Partial<Record<OperationId, (more: string) => [url: string, body?: unknown]>> = {
  createSession: () => ["/v1/sessions", {}],
  patchSession: () => ["/v1/sessions/s", { title: "new" }],
  deleteSession: () => ["/v1/sessions/s"],
  resetSession: () => ["/v1/sessions/s/reset"],
  restoreSession: () => ["/v1/sessions/s/restore"],
  appendMessages: (id) => [`/v1/sessions/${id}/messages`, { role: "user", content: "new" }],
  deleteMessage: () => ["/v1/sessions/s/messages/m"],
  createEvent: () => ["/v1/events", { type: "feedback", value: 1 }],
  searchMemories: () => ["/v1/memories/search", { query: "x" }],
  deleteMemory: () => [`/v1/memories/${MEMORY}`],
  deleteMemories: () => ["/v1/memories"],
  patchSettings: () => ["/v1/settings", { memory: false }],
  createExport: () => ["/v1/exports"],
  createFile: () => ["/v1/files", { filename: "a", media_type: "text/plain", bytes: 1 }],
  deleteFile: () => [`/v1/files/${file}`],
  callMcp: () => ["/mcp", { jsonrpc: "2.0", id: 1, method: "ping" }],
  chat: (id) => [`/v1/sessions/${id}/chat`, { content: "new" }],
  createCompletion: () => ["/v1/chat/completions", { model: "model-a", messages: [{ role: "user", content: "new" }] }],
  stopChat: () => ["/v1/sessions/s/stop"],
  sendUiChat: (id) => ["/v1/chat", { id, messages: [message], trigger: "submit-message" }],
};
const writing = (Object.entries(operations) as [OperationId, Operation][]).filter(
  ([, { method, access, erases }]) => method !== "GET" && access === "user" && !erases,
);
const CHAT = new Set<string>(["chat", "createCompletion", "stopChat", "sendUiChat"]);

async function send(id: OperationId, body: [url: string, body?: unknown]) {
  const { method } = operations[id];
  const headers = { "idempotency-key": `${id}-${body[0]}`, accept: "application/json, text/event-stream" };
  if (!CHAT.has(id)) {
    return api.call(method, body[0], { headers, body: body[1] });
  }
  const answer = await fetch(chat.url + body[0], {
    method,
    headers: { ...headers, authorization: "Bearer ann", "content-type": "application/json" },
    ...(body[1] === undefined ? {} : { body: JSON.stringify(body[1]) }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body: JSON.parse(text) };
}

/** Every item in both tables, but for what a refused request may write: idempotency records and limits. */
async function stored(): Promise<unknown[]> {
  const all: unknown[] = [];
  for (const TableName of ["conversations", "metrics"]) {
    for await (const { Items = [] } of paginateScan({ client: api.engines.dynamodb }, { TableName })) {
      all.push(...Items.filter(({ sk }) => !/^[KL]/.test(String(sk))));
    }
  }
  return all;
}

describe("a user whose data is being erased", () => {
  beforeAll(async () => {
    const Item = { ...personKey("ann"), erasing: "an erasure" };
    await api.engines.dynamodb.send(new PutCommand({ TableName: api.engines.tableName, Item }));
  });

  it("is tested with every operation that can write", () => {
    expect(Object.keys(requests).sort()).toEqual(writing.map(([id]) => id).sort());
  });

  it.each(writing.flatMap(([id]) => [[id, "s"] as const, [id, "none"] as const]))(
    "is refused by %s with being_erased and Retry-After, and nothing is stored (session %s)",
    async (id, session) => {
      const before = await stored();
      fake.reset();
      const reply = await send(id, requests[id]!(session));
      expect([reply.status, reply.body.code]).toEqual([409, "being_erased"]);
      expect(reply.headers["retry-after"]).toBe("60");
      expect(await stored()).toEqual(before);
      expect(fake.requests).toEqual([]);
    },
  );

  it("can still read, and the same write succeeds after the erasure", async () => {
    expect((await api.get("/v1/sessions/s")).status).toBe(200);
    const request = requests.appendMessages!("s");
    expect((await send("appendMessages", request)).status).toBe(409);
    const Item = personKey("ann");
    await api.engines.dynamodb.send(new PutCommand({ TableName: api.engines.tableName, Item }));
    expect((await send("appendMessages", request)).status).toBe(201);
    expect((await send("chat", requests.chat!("s"))).status).toBe(200);
  });
});
