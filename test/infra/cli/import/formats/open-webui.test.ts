import { expect, test } from "vitest";
import { openWebui } from "../../../../../infra/cli/import/formats/open-webui.ts";
import { planSession } from "../../../../../infra/cli/import/plan-session.ts";
import { source } from "../fixtures.ts";

const message = (id: string, parentId: string | null, more: object = {}) => ({
  id,
  parentId,
  childrenIds: [],
  role: id.startsWith("u") ? "user" : "assistant",
  content: `text of ${id}`,
  timestamp: 1_700_000_000,
  ...more,
});
const chat = (list: { id: string }[], more: object = {}, currentId = list.at(-1)?.id) => ({
  id: "o1",
  title: "Sums",
  chat: { history: { currentId, messages: Object.fromEntries(list.map((each) => [each.id, each])) } },
  created_at: 1_699_999_999,
  ...more,
});
const read = (record: Record<string, unknown>, from = source()) => openWebui.read([record], from)!;

test("a chat of Open WebUI keeps its tree, its current message, its pin and its tags", () => {
  const list = [message("u1", null), message("a1", "u1", { model: "llama" }), message("a2", "u1"), message("u2", "a1")];
  const conversation = read(chat(list, { pinned: true, meta: { tags: ["maths"] } }, "a2"));
  expect(conversation).toMatchObject({ id: "o1", title: "Sums", pinned: true, metadata: { tags: ["maths"] } });
  const { messages, head, session } = planSession(conversation);
  expect(messages.map(({ id, parent_id, model }) => [id, parent_id, model])).toEqual([
    ["u1", null, undefined],
    ["a1", "u1", "llama"],
    ["a2", "u1", undefined],
    ["u2", "a1", undefined],
  ]);
  expect([head, session.pinned, session.created_at]).toEqual(["a2", true, "2023-11-14T22:13:19.000Z"]);
});

test("the steps of an answer of Open WebUI become parts", () => {
  const output = [
    { type: "reasoning", content: [{ type: "output_text", text: "15 * 17" }] },
    { type: "function_call", call_id: "c1", name: "weather", arguments: '{"city":"Paris"}' },
    { type: "function_call_output", call_id: "c1", output: [{ type: "input_text", text: "18C" }] },
    { type: "message", content: [{ type: "output_text", text: "255" }] },
  ];
  const usage = { prompt_tokens: 3, completion_tokens: 4 };
  const { messages } = read(chat([message("u1", null), message("a1", "u1", { output, usage, content: "<details>" })]));
  expect(messages.slice(1).map(({ role, parts, content, usage: used }) => [role, parts ?? content, used])).toEqual([
    [
      "assistant",
      [
        { type: "reasoning", text: "15 * 17" },
        { type: "tool_call", tool_call_id: "c1", name: "weather", input: { city: "Paris" } },
      ],
      undefined,
    ],
    ["tool", [{ type: "tool_result", tool_call_id: "c1", output: "18C" }], undefined],
    ["assistant", "255", { input_tokens: 3, output_tokens: 4 }],
  ]);
});

test("reasoning that older versions of Open WebUI have in the text becomes a part", () => {
  const content =
    '<details type="reasoning" done="true" duration="3">\n<summary>Thought for 3 seconds</summary>\n&gt; Break it\n&gt; down\n</details>\n255';
  const { messages } = read(chat([message("u1", null), message("a1", "u1", { content })]));
  expect(messages[1]?.parts).toEqual([
    { type: "reasoning", text: "Break it\ndown" },
    { type: "text", text: "255" },
  ]);
});

test("images and texts of files of Open WebUI are kept, and other files are counted", async () => {
  const from = source();
  const files = [
    { type: "image", url: "data:image/png;base64,UE5H" },
    { type: "file", name: "notes.docx", file: { data: { content: "Notes" } } },
    { type: "file", name: "lost.bin" },
  ];
  const { messages } = read(chat([message("u1", null, { files })]), from);
  const [, image, notes, lost] = messages[0]?.parts ?? [];
  const contents = await Promise.all(
    [image, notes].map(
      async (part) => part?.type === "file" && [part.file.filename, part.file.mediaType, `${await part.file.read()}`],
    ),
  );
  expect(contents).toEqual([
    ["image.png", "image/png", "PNG"],
    ["notes.docx.txt", "text/plain", "Notes"],
  ]);
  expect(lost).toEqual({ type: "text", text: "[file: lost.bin]" });
  expect(from.left).toEqual(["files that are not in the export"]);
});

test("sources of Open WebUI become parts", () => {
  const sources = [
    { source: { name: "web", url: "https://a.example/" }, metadata: [{ source: "https://b.example/" }] },
  ];
  const { messages } = read(chat([message("u1", null), message("a1", "u1", { sources })]));
  expect(messages[1]?.parts?.slice(1)).toEqual([
    { type: "source", url: "https://a.example/" },
    { type: "source", url: "https://b.example/" },
  ]);
});

test("a chat of Open WebUI without a tree is a list", () => {
  const { messages } = read({ id: "o", chat: { messages: [message("u1", null), message("a1", null)] } });
  expect(messages.map(({ id, parent, content }) => [id, parent, content])).toEqual([
    [undefined, undefined, "text of u1"],
    [undefined, undefined, "text of a1"],
  ]);
});

test("messages of Open WebUI whose parents are missing or form a cycle begin the conversation, and are counted", () => {
  const list = [message("u1", "gone"), message("a1", "u2"), message("u2", "a1")];
  const { messages, changes } = planSession(read(chat(list)));
  expect(messages.map(({ id, parent_id }) => [id, parent_id])).toEqual([
    ["u1", null],
    ["a1", null],
    ["u2", "a1"],
  ]);
  expect(changes.detached).toBe(2);
});

test.each([
  [{ chat: { history: { messages: {} } } }, "missing id"],
  [chat([], { id: "x", chat: { history: { messages: { a: 1 } } } }), "message a: not an object"],
  [chat([message("u1", null, { role: "robot" })]), 'message u1: unknown role "robot"'],
  [chat([message("u1", null, { timestamp: -1 })]), "message u1: timestamp: bad date"],
])("a record of Open WebUI is refused: %j", (record, reason) => {
  expect(() => read(record)).toThrow(reason);
});
