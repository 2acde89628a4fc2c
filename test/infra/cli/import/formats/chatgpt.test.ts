import { describe, expect, test } from "vitest";
import { readChatgptConversation } from "../../../../../infra/cli/import/formats/chatgpt.ts";
import { chatgptConversation, node } from "../fixtures.ts";

const contents = (record: Record<string, unknown>): string[] =>
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
        { role: "user", content: "Hello", at: 1_700_000_000_500 },
        { role: "assistant", content: "Hi", metadata: { model: "gpt-4" } },
        { role: "tool", content: "Found", name: "browser" },
      ],
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
    ["the current node's branch", "old", ["question", "old answer"]],
    ["the newest leaf's without a current node", null, ["question", "new answer"]],
    ["the newest leaf's when the current node leads nowhere", "gone", ["question", "new answer"]],
  ])("is %s", (_, current, expected) => {
    expect(contents({ id: "c", mapping: branches, current_node: current })).toEqual(expected);
  });

  test("ends its branch at a cycle, and at an unknown parent", () => {
    const cycle = {
      a: node("a", { role: "user", parts: ["a"], parent: "b" }),
      b: node("b", { role: "assistant", parts: ["b"], parent: "a" }),
    };
    expect(contents({ id: "c", mapping: cycle, current_node: "b" })).toEqual(["a", "b"]);
    expect(contents({ id: "c", mapping: cycle, current_node: null })).toHaveLength(2);
    const dangling = { a: node("a", { role: "user", parts: ["a"], parent: "gone" }), b: null };
    expect(contents({ id: "c", mapping: dangling, current_node: "a" })).toEqual(["a"]);
  });

  test.each([
    ["without a message", {}],
    ["with an empty text", { role: "system", parts: [""] }],
    ["hidden from the user", { role: "user", parts: ["x"], metadata: { is_visually_hidden_from_conversation: true } }],
    ["for a tool", { role: "assistant", content: { content_type: "code", text: "search()" }, recipient: "browser" }],
    ["of thoughts", { role: "assistant", content: { content_type: "thoughts", thoughts: [{ content: "hm" }] } }],
    ["of a recap", { role: "assistant", content: { content_type: "reasoning_recap", content: "Thought" } }],
    [
      "with the user's profile",
      { role: "user", content: { content_type: "user_editable_context", user_profile: "x" } },
    ],
    ["of an unknown role that nobody saw", { role: "critic", parts: ["x"], recipient: "python" }],
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

  test("has no messages when the user saw none", () => {
    expect(contents(chatgptConversation("c", []))).toEqual([]);
  });
});
