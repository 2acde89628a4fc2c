import { describe, expect, test } from "vitest";
import { readChatgptConversation as readConversation } from "../../../../../infra/cli/import/formats/chatgpt.ts";
import { planSession } from "../../../../../infra/cli/import/plan-session.ts";
import { chatgptConversation, entryOf, node, source } from "../fixtures.ts";

const readChatgptConversation = (record: Record<string, unknown>, from = source()) => readConversation(record, from);
/** What is stored: each message as "parent > content". */
const stored = (record: Record<string, unknown>): string[] => {
  const { messages } = planSession(readChatgptConversation(record));
  const contents = new Map(messages.map(({ id, content }) => [id, content]));
  return messages.map(({ content, parent_id: parent }) => {
    return parent === undefined ? `${content}` : `${parent === null ? "" : contents.get(parent)} > ${content}`;
  });
};
const headOf = (record: Record<string, unknown>): unknown => {
  const { messages, head } = planSession(readChatgptConversation(record));
  return (head === undefined ? messages.at(-1) : messages.find(({ id }) => id === head))?.content;
};

const contents = (record: Record<string, unknown>): (string | undefined)[] =>
  readChatgptConversation(record).messages.map(({ content }) => content);

describe("a ChatGPT conversation", () => {
  test("has the messages from the root to the current node, with their times and models", () => {
    const conversation = readChatgptConversation(
      chatgptConversation("c1", [
        {},
        { role: "user", parts: ["Hello"], time: 1_700_000_000.5 },
        { role: "assistant", parts: ["Hi"], time: null, metadata: { model_slug: "gpt-4" } },
        { role: "tool", author: { role: "tool", name: "browser" }, parts: ["Found"] },
      ]),
    );
    expect(conversation).toEqual({
      id: "c1",
      title: "Chat c1",
      startedAt: 1_700_000_000_000,
      messages: [
        { id: "n1", parent: "n0", role: "user", content: "Hello", at: 1_700_000_000_500 },
        { id: "n2", parent: "n1", role: "assistant", content: "Hi", model: "gpt-4" },
        { id: "n3", parent: "n2", role: "tool", content: "Found", name: "browser" },
      ],
      skipped: new Map([["n0", null]]),
      head: "n3",
    });
  });

  const branches = {
    root: node("root", {}),
    q: node("q", { role: "user", parts: ["question"], parent: "root", time: 1 }),
    old: node("old", { role: "assistant", parts: ["old answer"], parent: "q", time: 2 }),
    new: node("new", { role: "assistant", parts: ["new answer"], parent: "q", time: 3 }),
    more: node("more", { role: "user", parts: ["thanks"], parent: "old", time: 2.5 }),
  };

  test.each([
    ["the current node", "old", "old answer"],
    ["the newest leaf without a current node", null, "new answer"],
    ["the newest leaf when the current node leads nowhere", "gone", "new answer"],
  ])("has all branches, and ends at %s", (_, current, head) => {
    const record = { id: "c", mapping: branches, current_node: current };
    expect(stored(record)).toEqual([
      " > question",
      "question > old answer",
      "question > new answer",
      "old answer > thanks",
    ]);
    expect(headOf(record)).toBe(head);
  });

  test("is read without cycles, and a message with an unknown parent begins it", () => {
    const cycle = {
      a: node("a", { role: "user", parts: ["a"], parent: "b" }),
      b: node("b", { role: "assistant", parts: ["b"], parent: "a" }),
    };
    expect(stored({ id: "c", mapping: cycle, current_node: "b" })).toEqual(["a", "b"]);
    const dangling = { a: node("a", { role: "user", parts: ["a"], parent: "gone" }), b: null };
    const { messages, changes } = planSession(
      readChatgptConversation({ id: "c", mapping: dangling, current_node: "a" }),
    );
    expect([messages.length, changes.detached]).toEqual([1, 1]);
  });

  test("has tool calls with their results, and thoughts as reasoning", () => {
    const conversation = readChatgptConversation(
      chatgptConversation("c", [
        { role: "user", parts: ["Plot it"] },
        {
          role: "assistant",
          content: { content_type: "thoughts", thoughts: [{ summary: "Plan", content: "Use x." }] },
        },
        { role: "assistant", content: { content_type: "code", text: "plot()" }, recipient: "python" },
        {
          role: "tool",
          author: { role: "tool", name: "python" },
          content: { content_type: "execution_output", text: "ok" },
        },
        { role: "assistant", content: { content_type: "code", text: '{"q":1}' }, recipient: "browser" },
        { role: "assistant", parts: ["Done"] },
      ]),
    );
    expect(conversation.messages.map(({ role, content, parts }) => [role, parts ?? content])).toEqual([
      ["user", "Plot it"],
      ["assistant", [{ type: "reasoning", text: "Plan\nUse x." }]],
      ["assistant", [{ type: "tool_call", tool_call_id: "n2", name: "python", input: "plot()" }]],
      ["tool", [{ type: "tool_result", tool_call_id: "n2", name: "python", output: "ok" }]],
      ["assistant", [{ type: "tool_call", tool_call_id: "n4", name: "browser", input: { q: 1 } }]],
      ["assistant", "Done"],
    ]);
  });

  test("has the files whose names begin with an id in the messages, and counts missing ones", async () => {
    const from = source([
      entryOf("file-abc-photo.png", "PNG"),
      entryOf("file_0001.dat", "WEBP"),
      entryOf("dalle/file-d1-x.webp", "D"),
    ]);
    const pointer = (id: string) => ({ content_type: "image_asset_pointer", asset_pointer: id });
    const parts = [
      pointer("file-service://file-abc"),
      pointer("sediment://file_0001"),
      pointer("sediment://file_gone"),
      "See",
    ];
    const attachments = [
      { id: "file-abc", name: "me.png", mime_type: "image/png" },
      { id: "file-d1", name: "plan.pdf", mime_type: "application/pdf" },
      { id: "file-no", name: "lost.txt" },
    ];
    const content = { content_type: "multimodal_text", parts };
    const record = chatgptConversation("c", [{ role: "user", content, metadata: { attachments } }]);
    const [message] = readChatgptConversation(record, from).messages;
    const read = message?.parts?.map((part) =>
      part.type === "file" ? [part.file.filename, part.file.mediaType, part.file.bytes] : part,
    );
    expect(read).toEqual([
      { type: "text", text: "[image]\nSee" },
      ["me.png", "image/png", 3],
      ["file_0001.dat", "application/octet-stream", 4],
      ["plan.pdf", "application/pdf", 1],
      { type: "text", text: "[file: lost.txt]" },
    ]);
    expect(from.left).toEqual(Array(2).fill("files that are not in the export"));
  });

  test.each([
    ["without a message", {}],
    ["with an empty text", { role: "system", parts: [""] }],
    ["hidden from the user", { role: "user", parts: ["x"], metadata: { is_visually_hidden_from_conversation: true } }],
    ["of empty thoughts", { role: "assistant", content: { content_type: "thoughts", thoughts: [] } }],
    ["of a recap", { role: "assistant", content: { content_type: "reasoning_recap", content: "Thought" } }],
    [
      "with the user's profile",
      { role: "user", content: { content_type: "user_editable_context", user_profile: "x" } },
    ],
    ["of an unknown role, addressed to a tool", { role: "critic", parts: ["x"], recipient: "python" }],
  ])("leaves out a node %s", (_, sketch) => {
    expect(contents(chatgptConversation("c", [{ role: "user", parts: ["seen"] }, sketch]))).toEqual(["seen"]);
  });

  test.each([
    ["parts", { content_type: "text", parts: ["one", "two"] }, "one\ntwo"],
    [
      "an image",
      { content_type: "multimodal_text", parts: [{ content_type: "image_asset_pointer" }, "Who?"] },
      "[image]\nWho?",
    ],
    [
      "speech",
      {
        content_type: "multimodal_text",
        parts: [{ content_type: "audio_transcription", text: "Hey" }, { content_type: "audio_asset_pointer" }],
      },
      "Hey\n[audio]",
    ],
    [
      "video",
      { content_type: "multimodal_text", parts: [{ content_type: "real_time_user_audio_video_asset_pointer" }] },
      "[video]",
    ],
    [
      "nothing known",
      { content_type: "multimodal_text", parts: [{ content_type: "hologram_pointer" }, null, 1] },
      "[hologram pointer]",
    ],
    ["code", { content_type: "code", text: "1 + 1" }, "1 + 1"],
    ["output", { content_type: "execution_output", text: "2" }, "2"],
    ["a page", { content_type: "tether_browsing_display", result: "L0: page", summary: "" }, "L0: page"],
    ["a quote", { content_type: "tether_quote", url: "u", text: "said" }, "said"],
    ["a kind from the future", { content_type: "super_widget" }, "[super widget]"],
  ])("has the text of %s", (_, content, expected) => {
    expect(contents(chatgptConversation("c", [{ role: "assistant", content }]))).toEqual([expected]);
  });

  test.each([
    ["no id", { mapping: {} }, "missing conversation_id"],
    ["no mapping", { id: "c", mapping: null }, "missing mapping"],
    ["an unknown role", chatgptConversation("c", [{ role: "critic", parts: ["x"] }]), 'node n0: unknown role "critic"'],
    [
      "a bad date",
      chatgptConversation("c", [{ role: "user", parts: ["x"], time: -5 }]),
      "node n0: create_time: bad date",
    ],
  ])("is refused with %s", (_, record, reason) => {
    expect(() => readChatgptConversation(record)).toThrow(reason);
  });

  test("has no messages when all of them were hidden from the user", () => {
    expect(contents(chatgptConversation("c", []))).toEqual([]);
  });
});
