import { expect, test } from "vitest";
import { librechat } from "../../../../../infra/cli/import/formats/librechat.ts";
import { planSession } from "../../../../../infra/cli/import/plan-session.ts";
import { source } from "../fixtures.ts";

const ROOT = "00000000-0000-0000-0000-000000000000";
const message = (messageId: string, parentMessageId: string | undefined, more: object = {}) => ({
  messageId,
  ...(parentMessageId !== undefined && { parentMessageId }),
  isCreatedByUser: messageId.startsWith("u"),
  text: `text of ${messageId}`,
  createdAt: "2024-05-28T18:08:55.014Z",
  ...more,
});
const read = (messages: unknown, more: object = {}, from = source()) =>
  librechat.read([{ conversationId: "l1", title: "Story", messages, ...more }], from)!;
const tree = (messages: unknown, more: object = {}) =>
  planSession(read(messages, more)).messages.map(({ id, parent_id, role }) => [id, parent_id, role]);

const expected = [
  ["u1", null, "user"],
  ["a1", "u1", "assistant"],
  ["a2", "u1", "assistant"],
  ["u2", null, "user"],
  ["a3", "u2", "assistant"],
];

test("a flat export of LibreChat keeps its branches, also when several messages have no parent", () => {
  const list = [
    message("u1", ROOT),
    message("a1", "u1"),
    message("a2", "u1"),
    message("u2", ROOT),
    message("a3", "u2"),
  ];
  expect(tree(list, { recursive: false, branches: true })).toEqual(expected);
});

test.each(["messages", "messagesTree"])("a recursive export of LibreChat in %s gives the same tree", (name) => {
  const nested = [
    message("u1", ROOT, { children: [message("a1", "u1", { children: [] }), message("a2", undefined)] }),
    message("u2", ROOT, { children: [message("a3", "u2", { createdAt: undefined })] }),
  ];
  expect(tree(name === "messages" ? nested : undefined, { recursive: true, [name]: nested })).toEqual(expected);
});

test("content of LibreChat becomes parts, and the output of a tool becomes a separate message", () => {
  const from = source();
  const content = [
    { type: "think", think: "Hm" },
    { type: "tool_call", tool_call: { id: "t1", name: "search", args: '{"q":"x"}', output: "found" } },
    { type: "tool_call", tool_call: { name: "later", args: "" } },
    { type: "text", text: { value: "Here" } },
    { type: "image_file", image_file: { file_id: "f", filename: "a.png" } },
  ];
  const { messages } = read(
    [message("u1", ROOT), message("a1", "u1", { content, text: "", model: "gpt-4o", unfinished: true })],
    {},
    from,
  );
  expect(
    messages.slice(1).map(({ role, parts, content, model, status }) => [role, parts ?? content, model, status]),
  ).toEqual([
    [
      "assistant",
      [
        { type: "reasoning", text: "Hm" },
        { type: "tool_call", tool_call_id: "t1", name: "search", input: { q: "x" } },
      ],
      "gpt-4o",
      undefined,
    ],
    ["tool", [{ type: "tool_result", tool_call_id: "t1", name: "search", output: "found" }], undefined, undefined],
    [
      "assistant",
      [
        { type: "tool_call", tool_call_id: "a1-2", name: "later", input: "" },
        { type: "text", text: "Here" },
        { type: "text", text: "[file: a.png]" },
      ],
      "gpt-4o",
      "incomplete",
    ],
  ]);
  expect(from.left).toEqual(["files that are not in the export"]);
});

test("an error message of LibreChat is left out, and its children follow its parent", () => {
  const list = [message("u1", ROOT), message("a1", "u1", { error: true }), message("u2", "a1")];
  expect(planSession(read(list)).messages.map(({ content }) => content)).toEqual(["text of u1", "text of u2"]);
});

test("a conversation of 20,000 levels is read without recursion", () => {
  let nested = message("a20000", undefined);
  for (let n = 19_999; n > 0; n--) nested = message(`a${n}`, undefined, { children: [nested] });
  const { messages, branches } = planSession(read([nested], { recursive: true }));
  expect([messages.length, branches]).toEqual([20_000, 0]);
});

test.each([
  [{ conversationId: 1, messages: [] }, "missing conversationId"],
  [{ conversationId: "c", messages: "x" }, "missing messages"],
  [{ conversationId: "c", messages: [null] }, "messages[0]: not an object"],
  [
    { conversationId: "c", messages: [{ children: [{}] }] },
    "messages[0].messageId: missing, but the message has children",
  ],
  [{ conversationId: "c", messages: [{ parentMessageId: 5 }] }, "messages[0].parentMessageId: not a string"],
  [{ conversationId: "c", messages: [{ text: "x", createdAt: "never" }] }, "messages[0].createdAt: bad date"],
])("a record of LibreChat is refused: %j", (record, reason) => {
  expect(() => librechat.read([record], source())).toThrow(reason);
});
