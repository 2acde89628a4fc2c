import { expect, test } from "vitest";
import { langchain } from "../../../../../infra/cli/import/formats/langchain.ts";
import { source } from "../fixtures.ts";

const read = (record: Record<string, unknown>) => langchain.read([record], source())!.messages;

test("an item of LangChain for Python is read with its messages, tool calls and token counts", () => {
  const History = [
    { type: "system", data: { content: "Be kind.", additional_kwargs: {}, type: "system" } },
    {
      type: "human",
      data: {
        content: [
          { type: "text", text: "Hi" },
          { type: "image_url", image_url: { url: "data:image/png;base64,QQ==" } },
        ],
      },
    },
    {
      type: "ai",
      data: {
        content: "",
        tool_calls: [{ name: "search", args: { q: "x" }, id: "c1" }],
        usage_metadata: { input_tokens: 3, output_tokens: 4, total_tokens: 7 },
        response_metadata: { model_name: "gpt-4o" },
      },
    },
    { type: "tool", data: { content: "found", tool_call_id: "c1", name: "search", status: "error" } },
    { type: "AIMessageChunk", data: { content: "Done", tool_calls: [] } },
    { type: "remove", data: { id: "x", content: "" } },
  ];
  const record = { SessionId: "s1", History };
  expect(langchain.recognises(record)).toBe(true);
  expect(langchain.read([record], source())!.id).toBe("s1");
  expect(read(record)).toEqual([
    { role: "system", content: "Be kind." },
    {
      role: "user",
      parts: [
        { type: "text", text: "Hi" },
        { type: "file", file: expect.objectContaining({ bytes: 1 }) },
      ],
    },
    {
      role: "assistant",
      parts: [{ type: "tool_call", tool_call_id: "c1", name: "search", input: { q: "x" } }],
      model: "gpt-4o",
      usage: { input_tokens: 3, output_tokens: 4 },
    },
    {
      role: "tool",
      parts: [{ type: "tool_result", tool_call_id: "c1", name: "search", output: "found", is_error: true }],
      name: "search",
    },
    { role: "assistant", content: "Done" },
  ]);
});

test("an item of LangChain for JavaScript is read with its messages, and with tool calls in additional_kwargs", () => {
  const tool_calls = [{ id: "c1", type: "function", function: { name: "search", arguments: '{"q":1}' } }];
  const messages = [
    { type: "human", text: "Hi", additional_kwargs: "{}" },
    { type: "ai", text: "", additional_kwargs: JSON.stringify({ tool_calls }) },
    { type: "tool", text: "found", additional_kwargs: "{}" },
    { type: "generic", text: "Hello", role: "assistant", additional_kwargs: "{}" },
  ];
  expect(read({ id: "s1", messages })).toEqual([
    { role: "user", content: "Hi" },
    { role: "assistant", parts: [{ type: "tool_call", tool_call_id: "c1", name: "search", input: { q: 1 } }] },
    // LangChain does not store there which call it answers.
    { role: "tool", content: "found" },
    { role: "assistant", content: "Hello" },
  ]);
});

test("a tool call that LangChain stores twice, as an Anthropic block too, is read once", () => {
  const data = {
    content: [
      { type: "text", text: "Look" },
      { type: "tool_use", id: "c1", name: "search", input: {} },
    ],
    tool_calls: [{ id: "c1", name: "search", args: {} }],
  };
  expect(read({ SessionId: "s", History: [{ type: "ai", data }] })[0]?.parts).toEqual([
    { type: "text", text: "Look" },
    { type: "tool_call", tool_call_id: "c1", name: "search", input: {} },
  ]);
});

test.each([
  [{ History: [{ type: "human", data: { content: "x" } }] }, "missing SessionId"],
  [{ SessionId: "s", History: [{ type: "robot", data: { content: "x" } }] }, 'messages[0]: unknown role "robot"'],
  [
    { SessionId: "s", History: [{ type: "human", data: { content: 5 } }] },
    "messages[0]: content must be a text or an array of blocks",
  ],
])("an item of LangChain is refused: %j", (record, reason) => {
  expect(() => read(record)).toThrow(reason);
});

test.each([{ messages: [] }, { messages: [{ role: "user", content: "x" }] }, { History: "x" }, { History: [1] }])(
  "%j is not an item of LangChain",
  (record) => {
    expect(langchain.recognises(record)).toBe(false);
  },
);
