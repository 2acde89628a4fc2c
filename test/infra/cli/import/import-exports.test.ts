import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type ImportOptions, importFiles } from "../../../../infra/cli/import/import-files.ts";
import { formatSummary, type Summary } from "../../../../infra/cli/import/summary.ts";
import { FORMAT } from "../../../../shared/exports/export-format.ts";
import { type FakeApi, startFakeApi } from "./fake-api.ts";
import { chatgptConversation, node } from "./fixtures.ts";
import { createScratch } from "./scratch.ts";
import { zipOf } from "./zip.ts";

let api: FakeApi;

beforeEach(async () => {
  api = await startFakeApi();
  onTestFinished(() => api.close());
});

const run = (files: string[], more: Partial<ImportOptions> = {}): Promise<Summary> =>
  importFiles({ files, url: api.url, token: "ann", retry: { attempts: 6, baseMs: 1, capMs: 4 }, ...more });

/** A conversation with an edit, and an image in its first message. */
const branched = (id: string) => ({
  id,
  title: `Chat ${id}`,
  current_node: "old",
  mapping: {
    root: node("root", {}),
    q: node("q", {
      role: "user",
      content: {
        content_type: "multimodal_text",
        parts: [{ asset_pointer: "file-service://file-abc", content_type: "image_asset_pointer" }, "Who?"],
      },
      parent: "root",
      time: 1,
    }),
    old: node("old", { role: "assistant", parts: ["A cat"], parent: "q", time: 2 }),
    new: node("new", { role: "assistant", parts: ["A dog"], parent: "q", time: 3 }),
  },
});
const zipped = async () =>
  createScratch().write(
    "chatgpt.zip",
    await zipOf({
      "conversations.json": JSON.stringify([
        branched("a"),
        chatgptConversation("b", [{ role: "user", parts: ["hi"] }]),
      ]),
      "file-abc-cat.png": "PNG",
    }),
  );
const messagesOf = (id: string) =>
  api.users
    .get("ann")!
    .get(id)!
    .messages.map(({ id: own, parent_id, content, parts }) => [own, parent_id, parts ?? content]);

describe("an import of an export with branches and files", () => {
  test("stores all of them, and makes the source's current branch the current one", async () => {
    const summary = await run([await zipped()]);
    expect(summary).toMatchObject({ imported: 2, messages: 4, branches: 1, files: 1, left: {}, problems: [] });
    const [[id, content] = []] = api.files;
    expect([id?.slice(0, 4), content]).toEqual(["ann/", "PNG"]);
    expect(messagesOf("a")).toEqual([
      [
        "q",
        null,
        [
          { type: "text", text: "Who?" },
          { type: "file", file_id: id?.slice(4) },
        ],
      ],
      ["old", "q", "A cat"],
      ["new", "q", "A dog"],
    ]);
    expect(api.users.get("ann")!.get("a")!.head_id).toBe("old");
    expect(messagesOf("b")).toEqual([[undefined, undefined, "hi"]]);
  });

  test("stores nothing twice, and completes an earlier run that stopped at any request", async () => {
    const file = await zipped();
    await run([file]);
    const whole = [api.state(), [...api.files], api.users.get("ann")!.get("a")!.head_id];
    const total = api.requests.length;
    expect(await run([file])).toMatchObject({ existing: 2, imported: 0, messages: 0, files: 0 });
    for (let stop = 1; stop <= total; stop++) {
      for (const fault of ["drop", "lose"] as const) {
        api.users.clear();
        api.files.clear();
        const from = api.requests.length;
        api.fault = ({ n }) => (n - from < stop ? undefined : n - from === stop ? fault : "drop");
        await run([file], { concurrency: 1, retry: { attempts: 1 } });
        api.fault = () => undefined;
        await run([file], { concurrency: 1 });
        expect([stop, fault, api.state(), [...api.files], api.users.get("ann")!.get("a")!.head_id]).toEqual([
          stop,
          fault,
          ...whole,
        ]);
      }
    }
  });

  test("says in a dry run what it would do, and sends nothing", async () => {
    const summary = await run([await zipped()], { dryRun: true, url: "http://127.0.0.1:9" });
    expect(summary).toMatchObject({ imported: 2, messages: 4, branches: 1, files: 1, problems: [] });
    expect(api.requests).toEqual([]);
  });

  test("counts files that are missing in the export or too large", async () => {
    const { directory, write } = createScratch();
    write("conversations.json", JSON.stringify([branched("a")]));
    expect((await run([directory])).left).toEqual({ "files that are not in the export": 1 });
    write("file-abc-cat.png", Buffer.alloc(25 * 1024 * 1024 + 1));
    expect((await run([directory], { dryRun: true })).left).toEqual({ "files of more than 25 MB": 1 });
  });

  test("fails for a conversation whose file cannot be read, and continues with the others", async () => {
    const zip = await zipOf({
      "conversations.json": JSON.stringify([branched("a"), branched("b")]),
      "file-abc.png": "x".repeat(5000),
    });
    // The second file's content is not what its checksum says.
    const start = zip.indexOf("file-abc.png");
    zip.fill(0xff, start + 12, start + 16);
    const summary = await run([createScratch().write("broken.zip", zip)]);
    expect(summary).toMatchObject({ imported: 0, failed: 2 });
    expect(summary.problems[0]?.reason).toMatch(/^the file file-abc\.png cannot be read: /);
  });
});

test("an import of a Memocha export without sessions is complete, and says which data it leaves out", async () => {
  const counts = { sessions: 0, messages: 0, memories: 0, events: 2, files: 0 };
  const manifest = JSON.stringify({ ...FORMAT, counts, entries: [] });
  const zip = createScratch().write("export.zip", await zipOf({ "manifest.json": manifest, "usage.json": "{}" }));
  const summary = await run([zip], { dryRun: true });
  expect(summary).toMatchObject({ imported: 0, bad: 0, problems: [] });
  expect(formatSummary(summary, true).split("\n").slice(-4)).toEqual([
    expect.stringMatching(/^left out +2 +events, because the statistics count each event once$/),
    "Nothing was sent. Run the same command without --dry-run to import.",
    "Usage is not imported, because limits count only what this server has done.",
    "The server makes new memories from the messages, also of messages whose memories the user had deleted.",
  ]);
});

test.each([
  [
    "Claude",
    {
      uuid: "c",
      chat_messages: [
        { uuid: "m", sender: "human", text: 7 },
        { uuid: "n", sender: "human", text: "hi" },
      ],
    },
  ],
  [
    "LibreChat",
    {
      conversationId: "l",
      messages: [
        { messageId: "m", text: {} },
        { messageId: "n", text: "hi" },
      ],
    },
  ],
  [
    "Open WebUI",
    {
      id: "o",
      chat: {
        messages: [
          { role: "user", content: [7] },
          { role: "user", content: "hi" },
        ],
      },
    },
  ],
])("a message of %s without readable content is counted as left out", async (_, record) => {
  const file = createScratch().write("conversations.json", JSON.stringify([record]));
  const { messages, left, problems } = await run([file], { dryRun: true });
  expect([messages, left, problems]).toEqual([1, { "messages without content": 1 }, []]);
});

test("a file of an unknown format is one problem, and the other files are imported", async () => {
  const { write } = createScratch();
  const unknown = write("unknown.json", JSON.stringify([{ foo: 1 }, { foo: 2 }]));
  const known = write("known.jsonl", '{"session":"a","messages":[]}\n{"foo":1}\n[1]\n');
  const summary = await run([unknown, known]);
  expect(summary.problems.map(({ file, place, reason }) => [file, place, reason])).toEqual([
    [
      unknown,
      "file",
      expect.stringMatching(/^not a format that this command knows \(Memocha's export, ChatGPT's export, /),
    ],
    [known, "line 2", expect.stringMatching(/^not a format/)],
    [known, "line 3", "not a JSON object"],
  ]);
  expect(summary.imported).toBe(1);
});

describe("lines of Memocha's own export", () => {
  const session = (id: string, more: object = {}) =>
    JSON.stringify({
      type: "session",
      id,
      title: null,
      created_at: "2026-01-01T00:00:00.000Z",
      ttl_seconds: 60,
      pinned: true,
      head_id: "m1",
      metadata: { a: 1 },
      ...more,
    });
  const line = (id: string, parent_id: string | null, more: object = {}) =>
    JSON.stringify({
      type: "message",
      id,
      parent_id,
      role: "assistant",
      content: `text of ${id}`,
      created_at: "2026-01-01T00:00:01.000Z",
      ...more,
    });

  test("are stored with all of their fields", async () => {
    const answer = { model: "gpt-4", usage: { input_tokens: 1, output_tokens: 2 }, status: "stopped", latency_ms: 5 };
    const file = createScratch().write(
      "sessions-000001.jsonl",
      [
        session("s1"),
        line("m1", null, answer),
        line("m2", "m1"),
        line("m3", "m1"),
        session("s2", { head_id: null }),
      ].join("\n"),
    );
    expect(await run([file])).toMatchObject({ imported: 2, messages: 3, branches: 1, problems: [] });
    const stored = api.users.get("ann")!.get("s1")!;
    expect(stored).toMatchObject({
      created_at: "2026-01-01T00:00:00.000Z",
      ttl_seconds: 60,
      pinned: true,
      metadata: { a: 1 },
      head_id: "m1",
    });
    expect(stored.metadata).toEqual({ a: 1 });
    expect(stored.messages[0]).toEqual({
      id: "m1",
      parent_id: null,
      role: "assistant",
      content: "text of m1",
      created_at: "2026-01-01T00:00:01.000Z",
      ...answer,
    });
  });

  test("are not imported when a line of the session is broken, or has no session", async () => {
    const file = createScratch().write(
      "sessions.jsonl",
      [
        session("s1"),
        line("m1", null),
        "{broken",
        line("m2", "m1"),
        line("m3", "m2"),
        session("s2", { head_id: null }),
      ].join("\n"),
    );
    const summary = await run([file]);
    expect(summary.problems.map(({ place, reason }) => `${place}: ${reason}`)).toEqual([
      "line 1: not imported, because a record of it cannot be read: line 3",
      expect.stringMatching(/^line 3: invalid JSON/),
      "line 4: the line of the session is missing before its messages",
    ]);
    expect([...api.users.get("ann")!.keys()]).toEqual(["s2"]);
  });

  test("are read whole when their session has more than 64 MB", async () => {
    const content = "lorem ".repeat(48_000);
    const lines = Array.from({ length: 240 }, (_, n) => line(`m${n}`, n === 0 ? null : `m${n - 1}`, { content }));
    const file = createScratch().write("sessions.jsonl", [session("s1"), ...lines].join("\n"));
    const { imported, messages, read, problems } = await run([file], { dryRun: true });
    expect([imported, messages, read > 64 * 1024 * 1024, problems]).toEqual([1, 240, true, []]);
  });

  test("can name files in the same directory", async () => {
    const id = "01890a5d-ac96-774b-bcce-b302099a8057";
    const parts = [{ type: "file", file_id: id, media_type: "text/plain", filename: "a.txt" }];
    const sessions = [session("s1"), line("m1", null, { content: "", parts, role: "user" })].join("\n");
    const entries = [{ path: "sessions-000001.jsonl", bytes: sessions.length }];
    const zip = await zipOf({
      "manifest.json": JSON.stringify({ ...FORMAT, counts: {}, entries }),
      "sessions-000001.jsonl": sessions,
      [`files/${id}-a.txt`]: "hello",
    });
    expect(await run([createScratch().write("export.zip", zip)])).toMatchObject({
      imported: 1,
      files: 1,
      problems: [],
    });
    expect([...api.files]).toEqual([[`ann/${id}`, "hello"]]);
    expect(api.users.get("ann")!.get("s1")!.messages[0]?.parts).toEqual([{ type: "file", file_id: id }]);
  });
});
