import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { importFiles } from "../../../../infra/cli/import/import-files.ts";
import { createTable } from "../../../../shared/dynamodb/table.ts";
import { createEventStore } from "../../../../shared/events/event-store.dynamodb.ts";
import { collect, START } from "../../../../shared/exports/collect.ts";
import { FORMAT } from "../../../../shared/exports/export-format.ts";
import { createChatWorld, runTurn, turnRequest } from "../../../support/chat-world.ts";
import { createErasureWorld } from "../../../support/erasure-world.ts";
import { createExportWorld } from "../../../support/export-world.ts";
import { startFakeOpenAI } from "../../../support/fake-openai.ts";
import { type Api, pages, startApi } from "../../../support/start-api.ts";
import { createScratch } from "./scratch.ts";
import { zipOf } from "./zip.ts";

let api: Api;
let url: string;
let close: () => void;
let exportWorld: ReturnType<typeof createExportWorld>;

beforeAll(async () => {
  api = await startApi();
  exportWorld = createExportWorld(api);
  const server = createServer(async (request, response) => {
    const user = String(request.headers.authorization).replace("Bearer ", "");
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const raw = (await text(request)) || undefined;
    api.world.advance(1);
    const { authorization: _token, ...rest } = headers;
    const answer = await api.call(request.method ?? "", request.url ?? "", {
      headers: rest,
      user,
      ...(raw && { raw }),
    });
    response.writeHead(answer.status, answer.headers).end(answer.text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = () => void server.close().closeAllConnections();
});
afterAll(async () => {
  close();
  await api.close();
});

/** What an export of a user has of sessions, and the contents of its files. */
async function exportOf(user: string) {
  const { stores, files, fileObjects: objects, memories } = api.world;
  const events = createEventStore(createTable(api.engines.dynamodb, api.engines.metricsTable));
  const deps = {
    stores,
    files: { ...stores, files, objects },
    memories,
    events,
    clock: stores.clock,
  };
  let sessions = "";
  const contents: Record<string, Buffer> = {};
  for await (const { lines, contents: found } of collect(deps, user, START)) {
    sessions += lines.flatMap(([series, line]) => (series === "sessions" ? [line] : [])).join("");
    for (const { path, content } of found) contents[path] = Buffer.from(content);
  }
  return { sessions, contents };
}

/** The export as a zip archive, with the lines in two files. */
async function zipped({ sessions, contents }: Awaited<ReturnType<typeof exportOf>>): Promise<string> {
  const middle = Math.floor(sessions.length / 2);
  const series = {
    "sessions-000001.jsonl": sessions.slice(0, middle),
    "sessions-000002.jsonl": sessions.slice(middle),
  };
  const entries = Object.entries(series).map(([path, text]) => ({ path, bytes: Buffer.byteLength(text), sha256: "" }));
  const manifest = JSON.stringify({ ...FORMAT, counts: {}, entries });
  return createScratch().write("export.zip", await zipOf({ "manifest.json": manifest, ...series, ...contents }));
}

const importAs = (user: string, file: string) =>
  importFiles({
    files: [file],
    url,
    token: user,
    clock: api.world.stores.clock,
    retry: { attempts: 3, baseMs: 1, capMs: 2 },
  });

/** Creates a session with parts, files, answers and branches. */
async function createSession(user: string, id: string): Promise<void> {
  await api.post(
    "/v1/sessions",
    {
      id,
      title: `About ${id}`,
      metadata: { b: 1, a: [null] },
      pinned: true,
      ttl_seconds: 5000,
      created_at: "2025-01-01T00:00:00Z",
    },
    { user },
  );
  const data = `data:image/png;base64,${Buffer.from(`image of ${id}`).toString("base64")}`;
  const append = async (messages: object[]) =>
    (await api.post(`/v1/sessions/${id}/messages`, { messages }, { user })).body.data;
  const [question, answer] = await append([
    {
      role: "user",
      name: "Ann",
      parts: [
        { type: "text", text: "What is it?" },
        { type: "file", data, filename: "a.png" },
      ],
    },
    {
      role: "assistant",
      parts: [
        { type: "reasoning", text: "Hm" },
        { type: "tool_call", tool_call_id: "c1", name: "look", input: { x: [1] } },
      ],
      model: "gpt-4",
      usage: { input_tokens: 1, output_tokens: 2, cost_usd: 0.5 },
      finish_reason: "tool_calls",
    },
    { role: "tool", parts: [{ type: "tool_result", tool_call_id: "c1", output: { y: null }, is_error: true }] },
    { role: "assistant", content: "A cat, I th", status: "stopped", latency_ms: 12, metadata: { n: 1 } },
  ]);
  await append([{ role: "user", content: "Try again", parent_id: question.parent_id }]);
  await append([
    { role: "assistant", content: "A dog", parent_id: question.id },
    { role: "user", content: "Sure?" },
  ]);
  await api.patch(`/v1/sessions/${id}`, { head_id: answer.id }, { user });
}

/** What an import takes back of a user's export, all that the zip has, and where it is. */
async function zipOfUser(user: string) {
  const whole = await exportWorld.export(user);
  const { zip, textOf, linesOf, files } = whole;
  const contents = [...files]
    .filter(([name]) => name.startsWith("files/"))
    .map(([name, content]) => [name, `${content}`]);
  // The ids of memories are new, and they order memories of the same time.
  const memories = linesOf("memories")
    .map(({ id: _id, ...memory }) => JSON.stringify(memory))
    .sort();
  const has = { sessions: textOf("sessions"), contents, memories, settings: `${files.get("settings.json")}` };
  return { ...whole, file: createScratch().write("export.zip", zip), has };
}

/** Erases a user, imports the export again, and delivers the stream records of its messages. */
async function eraseAndImport(user: string, file: string, sessions: readonly string[]) {
  const { status, stores } = await createErasureWorld(api.engines, api.world).erase(user);
  expect([status, stores.filter(({ remaining }) => remaining > 0)]).toEqual(["complete", []]);
  const summary = await importAs(user, file);
  await api.world.deliver(user, ...sessions);
  return summary;
}

test("an export that is imported again gives the same sessions, byte for byte", async () => {
  for (const id of ["one", "two"]) await createSession("ann", id);
  await api.post("/v1/sessions", { id: "cold", ttl_seconds: 60 });
  await api.post("/v1/sessions/cold/messages", { messages: [{ role: "user", content: "archived" }] });
  api.world.advance(61_000);
  await api.world.archiveJob({ Records: [(await api.world.sweep("ann", "cold"))!] });
  const { file, has } = await zipOfUser("ann");
  expect([has.sessions.split("\n").length, has.contents.length]).toEqual([3 + 2 * 7 + 1 + 1, 2]);

  const summary = await importAs("bob", file);
  expect(summary).toMatchObject({ imported: 3, messages: 15, files: 2, branches: 4, problems: [], left: {} });
  expect((await zipOfUser("bob")).has).toEqual(has);
  expect(await importAs("bob", file)).toMatchObject({ existing: 3, imported: 0, messages: 0 });
  expect((await zipOfUser("bob")).has).toEqual(has);
});

test("sessions in every state, files and memories are the same after an export, an erasure and an import", {
  timeout: 60_000,
}, async () => {
  const user = "eve";
  const post = (path: string, body?: object) => api.post(path, body, { user });
  const say = (id: string, ...messages: object[]) => post(`/v1/sessions/${id}/messages`, { messages });
  await createSession(user, "one");
  for (const id of ["back", "cold"]) {
    await post("/v1/sessions", { id, ttl_seconds: 60 });
    await say(id, { role: "user", content: `The ${id} room has a piano` });
  }
  await api.world.deliver(user, "back", "cold");
  api.world.advance(61_000);
  for (const id of ["back", "cold"]) await api.world.archiveJob({ Records: [(await api.world.sweep(user, id))!] });
  await post("/v1/sessions/back/restore");
  await post("/v1/sessions", { id: "hidden", incognito: true });
  await say("hidden", { role: "user", content: "My secret is a violin" });
  await post("/v1/sessions", { id: "empty" });
  await post("/v1/sessions", { id: "refused" });
  await say(
    "refused",
    { role: "user", content: "How do I pick a lock?" },
    { role: "assistant", content: "", status: "incomplete", finish_reason: "content_filter" },
  );
  await post("/v1/sessions", { id: "long" });
  for (let n = 0; n < 6; n++) {
    // Messages of the system are not remembered.
    await say("long", ...Array.from({ length: 100 }, (_, m) => ({ role: "system", content: `${n * 100 + m}` })));
  }
  await api.world.deliver(user, "one", "long");
  await post("/v1/sessions", { id: "talk" });
  const fake = await startFakeOpenAI();
  const chat = createChatWorld(api.world, fake.url);
  const question = turnRequest(chat.deps, user, "talk", "Which room has a piano?", { memory: true });
  const { turn } = await runTurn({ ...chat.deps, recall: api.world.recall }, question);
  await fake.close();
  expect(turn.memories.length).toBeGreaterThan(0);
  const sessions = ["one", "back", "cold", "hidden", "empty", "refused", "long", "talk"];
  await api.world.deliver(user, "talk", "refused");
  const upload = (await post("/v1/files", { filename: "loose.txt", media_type: "text/plain", bytes: 5 })).body.upload;
  expect((await fetch(upload.url, { method: "PUT", headers: upload.headers, body: "loose" })).status).toBe(200);
  await post("/v1/events", { type: "feedback", session_id: "one", value: 1 });
  const { file, has, manifest, linesOf } = await zipOfUser(user);
  expect(manifest.counts).toMatchObject({ sessions: 8, messages: 7 + 1 + 1 + 1 + 2 + 600 + 2, events: 1, files: 2 });
  expect(has.memories).toHaveLength(5);
  expect(linesOf("states").filter(({ memory_ids }) => memory_ids)).toEqual([
    { session_id: "talk", message_id: expect.any(String), memory_ids: turn.memories.map(({ id }) => id) },
  ]);

  const summary = await eraseAndImport(user, file, sessions);
  expect(summary).toMatchObject({ imported: 8, messages: manifest.counts.messages, files: 1, problems: [] });
  expect(summary.left).toEqual({
    "files that no message names": 1,
    "events, because the statistics count each event once": 1,
  });
  expect(summary.notes.join("\n")).toMatch(/Usage is not imported, .*\nThe server makes new memories/);
  const again = await zipOfUser(user);
  const { contents } = has;
  expect(again.has).toEqual({ ...has, contents: contents.filter(([name]) => !name?.endsWith("loose.txt")) });
  expect(again.manifest.counts).toEqual({ ...manifest.counts, events: 0, files: 1 });
});

test("an import makes no memories if memory was off in the export", async () => {
  const user = "mia";
  await createSession(user, "one");
  await api.patch("/v1/settings", { memory: false }, { user });
  const { file, has } = await zipOfUser(user);
  expect(has).toMatchObject({ memories: [], settings: '{"memory":false}\n' });
  const summary = await eraseAndImport(user, file, ["one"]);
  expect(summary).toMatchObject({ imported: 1, problems: [] });
  expect(summary.notes).toContain(
    "Memory is off in this export, so the import switches it off: the server makes no memories.",
  );
  expect((await zipOfUser(user)).has).toEqual(has);
});

test("an import does not begin when it cannot switch memory off", async () => {
  await createSession("moe", "one");
  await api.patch("/v1/settings", { memory: false }, { user: "moe" });
  const { file } = await zipOfUser("moe");
  await createErasureWorld(api.engines, api.world).request("max");
  const { stopped, imported } = await importAs("max", file);
  expect([stopped, imported]).toEqual([expect.stringMatching(/^memory cannot be switched off: 409/), 0]);
  expect((await api.get("/v1/sessions", { user: "max" })).body.data).toEqual([]);
});

test("an incognito session is exported with its mark, and imported only as an incognito session", async () => {
  await api.post("/v1/sessions", { id: "hidden", incognito: true, ttl_seconds: 600 }, { user: "ivy" });
  await api.post("/v1/sessions/hidden/messages", { messages: [{ role: "user", content: "secret" }] }, { user: "ivy" });
  const { file, has } = await zipOfUser("ivy");
  expect(JSON.parse(has.sessions.split("\n")[0] ?? "")).toMatchObject({ id: "hidden", incognito: true });
  expect((await exportWorld.export("ivy")).textOf("conversations")).toContain("hidden · incognito");

  expect(await importAs("ian", file)).toMatchObject({ imported: 1, problems: [] });
  const imported = (await api.get("/v1/sessions/hidden", { user: "ian" })).body;
  expect(imported).toMatchObject({ incognito: true, message_count: 1 });
  expect((await zipOfUser("ian")).has).toEqual(has);

  await api.post("/v1/sessions", { id: "hidden" }, { user: "ina" });
  const { problems } = await importAs("ina", file);
  expect(JSON.stringify(problems)).toContain(
    "the session hidden exists and is not incognito, unlike this record: delete it first",
  );
  expect((await api.get("/v1/sessions/hidden", { user: "ina" })).body.message_count).toBe(0);

  api.world.advance(600_000);
  expect((await zipOfUser("ivy")).has.sessions).toBe("");
});

test("the tree of any session survives an export and an import", async () => {
  const step = fc.record({
    parent: fc.option(fc.nat(30), { nil: undefined }),
    minutes: fc.nat(2),
    batch: fc.boolean(),
  });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), fc.nat(30), async (steps, head) => {
      const [from, to] = [`from-${run}`, `to-${run++}`];
      await api.post("/v1/sessions", { id: "s", created_at: "2025-01-01T00:00:00Z" }, { user: from });
      const ids: string[] = [];
      let at = Date.parse("2025-01-01T00:00:00Z");
      for (const { parent, minutes, batch } of steps) {
        at += minutes * 60_000;
        const parent_id = parent === undefined ? undefined : (ids[parent] ?? null);
        const messages = Array.from({ length: batch ? 3 : 1 }, (_, n) => ({
          role: "user",
          content: `${ids.length + n}`,
          created_at: new Date(at).toISOString(),
          ...(n === 0 && parent_id !== undefined && { parent_id }),
        }));
        // Messages with equal times are ordered by their arrival.
        api.world.advance(1);
        const { body } = await api.post("/v1/sessions/s/messages", { messages }, { user: from });
        ids.push(...body.data.map(({ id }: { id: string }) => id));
      }
      await api.patch("/v1/sessions/s", { head_id: ids[head % ids.length] }, { user: from });
      const before = await exportOf(from);
      expect((await importAs(to, await zipped(before))).problems).toEqual([]);
      expect(await exportOf(to)).toEqual(before);
      const shown = async (user: string) => (await pages(api, "/v1/sessions/s/messages?limit=100", { user })).flat();
      expect(await shown(to)).toEqual(await shown(from));
    }),
    { numRuns: 8 },
  );
});
