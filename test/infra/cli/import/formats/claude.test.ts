import { expect, test } from "vitest";
import { claude } from "../../../../../infra/cli/import/formats/claude.ts";
import { planSession } from "../../../../../infra/cli/import/plan-session.ts";
import { source } from "../fixtures.ts";

const ROOT = "00000000-0000-4000-8000-000000000000";
const read = (chat_messages: unknown[], more: object = {}, from = source()) =>
  claude.read([{ uuid: "c1", name: "Trip", created_at: "2025-12-08T17:00:00Z", chat_messages, ...more }], from)!;
const text = (uuid: string, sender: string, said: string, parent?: string | null) => ({
  uuid,
  sender,
  text: said,
  content: [{ type: "text", text: said }],
  created_at: "2025-12-08T17:00:01.000Z",
  ...(parent !== undefined && { parent_message_uuid: parent }),
});

test("a conversation of Claude without parents is a list, with its times", () => {
  const conversation = read([text("m1", "human", "Where?"), text("m2", "assistant", "Positano.")]);
  expect(conversation).toEqual({
    id: "c1",
    title: "Trip",
    startedAt: Date.parse("2025-12-08T17:00:00Z"),
    messages: [
      { id: "m1", role: "user", content: "Where?", at: Date.parse("2025-12-08T17:00:01Z") },
      { id: "m2", role: "assistant", content: "Positano.", at: Date.parse("2025-12-08T17:00:01Z") },
    ],
    skipped: new Map(),
  });
  expect(planSession(conversation).isKeyed).toBe(false);
});

test("a conversation of Claude keeps its branches, and ends at its current leaf or at the last message", () => {
  const list = [
    text("m1", "human", "Where?", ROOT),
    text("m2a", "assistant", "Positano.", "m1"),
    text("m2b", "assistant", "Ravello.", "m1"),
    text("m3", "human", "Why?", "m2b"),
  ];
  const plan = planSession(read(list));
  expect(plan.messages.map(({ id, parent_id }) => [id, parent_id])).toEqual([
    ["m1", null],
    ["m2a", "m1"],
    ["m2b", "m1"],
    ["m3", "m2b"],
  ]);
  expect([plan.branches, plan.head, plan.changes.detached]).toEqual([1, undefined, 0]);
  expect(planSession(read(list, { current_leaf_message_uuid: "m2a" })).head).toBe("m2a");
});

test("blocks of Claude become parts, and tool results become separate messages", () => {
  const blocks = [
    { type: "thinking", thinking: "Compare.", summaries: [] },
    { type: "tool_use", id: "t1", name: "bash", input: { command: "ls" } },
    { type: "tool_result", tool_use_id: "t1", name: "bash", is_error: true, content: [{ type: "text", text: "no" }] },
    { type: "tool_use", id: null, name: "artifacts", input: {} },
    { type: "tool_result", tool_use_id: null, content: [{ type: "knowledge", url: "https://a.example/" }] },
    { type: "token_budget" },
    { type: "text", text: "Done.", citations: [{ details: { url: "https://a.example/" } }, { details: {} }] },
    { type: "widget", state: 1 },
  ];
  const answer = { ...text("m2", "assistant", "", "m1"), content: blocks };
  const { messages } = read([text("m1", "human", "Go", ROOT), answer, text("m3", "human", "Thanks", "m2")]);
  expect(messages.map(({ id, parent, role, parts, content }) => [id, parent, role, parts ?? content])).toEqual([
    ["m1", null, "user", "Go"],
    [
      "m2-1",
      "m1",
      "assistant",
      [
        { type: "reasoning", text: "Compare." },
        { type: "tool_call", tool_call_id: "t1", name: "bash", input: { command: "ls" } },
      ],
    ],
    ["m2-2", "m2-1", "tool", [{ type: "tool_result", tool_call_id: "t1", name: "bash", output: "no", is_error: true }]],
    ["m2-3", "m2-2", "assistant", [{ type: "tool_call", tool_call_id: "call-0", name: "artifacts", input: {} }]],
    [
      "m2-4",
      "m2-3",
      "tool",
      [{ type: "tool_result", tool_call_id: "call-0", output: [{ type: "knowledge", url: "https://a.example/" }] }],
    ],
    [
      "m2",
      "m2-4",
      "assistant",
      [
        { type: "text", text: "Done." },
        { type: "source", url: "https://a.example/" },
        { type: "data", name: "widget", data: { type: "widget", state: 1 } },
      ],
    ],
    ["m3", "m2", "user", "Thanks"],
  ]);
});

test("attachments of Claude become files if the export has their text, and are counted otherwise", async () => {
  const from = source();
  const message = {
    ...text("m1", "human", "", ROOT),
    content: [],
    attachments: [
      { file_name: "a.tsx", extracted_content: "export {}" },
      { file_name: "photo.png", file_size: 4096 },
    ],
    files: [{ file_uuid: "f", file_name: "photo.png" }],
  };
  const [{ parts = [] } = {}] = read([message], {}, from).messages;
  const [file, missing] = parts;
  expect(file?.type === "file" && [file.file.filename, `${await file.file.read()}`]).toEqual(["a.tsx", "export {}"]);
  expect(missing).toEqual({ type: "text", text: "[file: photo.png]" });
  expect([parts.length, from.left]).toEqual([2, ["files that are not in the export"]]);
});

test("an empty message of Claude is left out, and its children follow its parent", () => {
  const list = [
    text("m1", "human", "a", ROOT),
    { ...text("m2", "assistant", "", "m1"), content: [] },
    text("m3", "human", "b", "m2"),
  ];
  expect(planSession(read(list)).messages.map(({ content }) => content)).toEqual(["a", "b"]);
});

test("the text field of a message of Claude is used when its blocks have no text", () => {
  const message = { uuid: "m1", sender: "assistant", text: "Flat", content: [] };
  expect(read([message]).messages[0]?.content).toBe("Flat");
});

test.each([
  [{ uuid: "", chat_messages: [] }, "missing uuid"],
  [{ uuid: "c", chat_messages: {} }, "missing chat_messages"],
  [{ uuid: "c", chat_messages: ["hi"] }, "chat_messages[0]: not an object"],
  [{ uuid: "c", chat_messages: [{ sender: "robot" }] }, "chat_messages[0].sender: must be human or assistant"],
  [{ uuid: "c", chat_messages: [{ sender: "human", text: "x", created_at: "soon" }] }, "created_at: bad date"],
  [{ uuid: "c", chat_messages: [], created_at: {} }, "created_at: bad date"],
])("a record of Claude is refused: %j", (record, reason) => {
  expect(() => claude.read([record], source())).toThrow(reason);
});

test("two messages of Claude with the same id are refused", () => {
  expect(() => planSession(read([text("m1", "human", "a", ROOT), text("m1", "human", "b", ROOT)]))).toThrow(
    "messages[1].id: messages[0] has the same id",
  );
});
