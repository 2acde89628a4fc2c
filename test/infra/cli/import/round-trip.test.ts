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
import { createErasureWorld } from "../../../support/erasure-world.ts";
import { createExportWorld } from "../../../support/export-world.ts";
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
  return createScratch().write("export.zip", await zipOf({ "manifest.json": "{}", ...series, ...contents }));
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

/** What the zip of an export has of sessions and files, and where it is. */
async function zipOfUser(user: string) {
  const { zip, textOf, files } = await exportWorld.export(user);
  const contents = [...files]
    .filter(([name]) => name.startsWith("files/"))
    .map(([name, content]) => [name, `${content}`]);
  return { file: createScratch().write("export.zip", zip), has: { sessions: textOf("sessions"), contents } };
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

test("an export can be imported again after its user was erased, also a session that was restored from the archive", async () => {
  await createSession("eve", "one");
  await api.post("/v1/sessions", { id: "back", ttl_seconds: 60 }, { user: "eve" });
  await api.post("/v1/sessions/back/messages", { messages: [{ role: "user", content: "restored" }] }, { user: "eve" });
  api.world.advance(61_000);
  await api.world.archiveJob({ Records: [(await api.world.sweep("eve", "back"))!] });
  await api.post("/v1/sessions/back/restore", undefined, { user: "eve" });
  const { file, has } = await zipOfUser("eve");
  const { status, stores } = await createErasureWorld(api.engines, api.world).erase("eve");
  expect([status, stores.filter(({ remaining }) => remaining > 0)]).toEqual(["complete", []]);
  expect((await exportOf("eve")).sessions).toBe("");
  expect(await importAs("eve", file)).toMatchObject({ imported: 2, problems: [] });
  expect((await zipOfUser("eve")).has).toEqual(has);
});

test("an incognito session is exported with its mark while it exists, and only imported as what it is", async () => {
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
  expect(JSON.stringify(problems)).toContain("the session hidden exists and is not incognito: delete it first");
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
