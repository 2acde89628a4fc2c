import { expect, test } from "vitest";
import { fineTuning } from "../../../../../infra/cli/import/formats/fine-tuning.ts";
import { source } from "../fixtures.ts";

const read = (record: Record<string, unknown>, from = source()) => fineTuning.read([record], from)!;
const tools = [{ type: "function", function: { name: "weather", parameters: {} } }];

test("a line for fine-tuning keeps its tool calls, weights and tools, and has the same id in every run", () => {
  const record = {
    messages: [
      { role: "developer", content: "Be brief." },
      { role: "user", content: [{ type: "text", text: "Rain?" }], name: "ann" },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "c1", type: "function", function: { name: "weather", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "c1", content: "no" },
      { role: "assistant", content: "No.", weight: 0 },
      { role: "assistant", function_call: { name: "old", arguments: "x" } },
    ],
    tools,
  };
  expect(fineTuning.recognises(record)).toBe(true);
  const conversation = read(record);
  expect(conversation.metadata).toEqual({ tools });
  expect(conversation.messages).toEqual([
    { role: "system", content: "Be brief." },
    { role: "user", content: "Rain?", name: "ann" },
    { role: "assistant", parts: [{ type: "tool_call", tool_call_id: "c1", name: "weather", input: {} }] },
    { role: "tool", parts: [{ type: "tool_result", tool_call_id: "c1", output: "no" }] },
    { role: "assistant", content: "No.", metadata: { weight: 0 } },
    { role: "assistant", parts: [{ type: "tool_call", tool_call_id: "call-5-0", name: "old", input: "x" }] },
  ]);
  expect(read(structuredClone(record)).id).toBe(conversation.id);
  expect(read({ messages: record.messages.slice(1) }).id).not.toBe(conversation.id);
});

test("tool definitions that do not fit into the metadata are left out and counted", () => {
  const from = source();
  const large = [{ type: "function", function: { name: "x", description: "y".repeat(4000) } }];
  expect(read({ messages: [], tools: large }, from).metadata).toBeUndefined();
  expect(from.left).toEqual(["definitions of tools that are too long for metadata"]);
});

test.each([
  [{ messages: [{ role: "robot", content: "x" }] }, 'messages[0]: unknown role "robot"'],
  [{ messages: [{ role: "assistant" }] }, "messages[0]: missing content or tool_calls"],
])("a line for fine-tuning is refused: %j", (record, reason) => {
  expect(() => read(record)).toThrow(reason);
});
