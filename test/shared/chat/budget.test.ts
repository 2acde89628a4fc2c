import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { promptsOf } from "../../../shared/chat/budget.ts";
import { loadTokenizer } from "../../../shared/llm/tokenizer.ts";
import { estimateTokens } from "../../../shared/llm/tokens.ts";
import type { MessageRecord } from "../../../shared/session/message.ts";
import { createChatWorld, runTurn, turnRequest } from "../../support/chat-world.ts";
import { useChat } from "../../support/use-chat.ts";

vi.mock(import("../../../shared/llm/tokenizer.ts"), async (importOriginal) => {
  const original = await importOriginal();
  return { ...original, loadTokenizer: vi.fn(original.loadTokenizer) };
});

/** A text whose estimate is more than 1.5 times its tokens. */
const WORDY = "Разговоры хранятся, пока они продолжаются, а затем попадают в архив, откуда их можно вернуть целиком. ";

const t = useChat();
let count = 0;
let id = "";

beforeEach(async () => {
  t.fake.always({ text: "fine" });
  vi.mocked(loadTokenizer).mockClear();
  id = `budget-${count++}`;
  await t.world.create("ann", id, 3600);
});

const say = async (content: string, encoding: "o200k_base" | "cl100k_base" | undefined) => {
  const { deps } = createChatWorld(t.world, t.fake.url, { maxContextTokens: 2000 });
  const specOf = () => ({ context: 8192, input: 1, output: 2, ...(encoding ? { encoding } : {}) });
  const told = { ...deps, specOf };
  await runTurn(told, turnRequest(told, "ann", id, content));
  t.world.advance(1000);
  return t.fake.requests.at(-1)!.messages;
};
const tokensOf = (messages: { content: string }[]) =>
  messages.reduce((sum, { content }) => sum + countTokens(content) + 4, 4);

describe("the tokens of a prompt", () => {
  it("are estimated while everything fits", async () => {
    for (let n = 0; n < 3; n++) await say("hello", "o200k_base");
    expect(loadTokenizer).not.toHaveBeenCalled();
  });

  it("are counted exactly when the estimate would leave something out, so that everything that fits is kept", async () => {
    const question = WORDY.repeat(8);
    expect(estimateTokens(WORDY) / countTokens(WORDY)).toBeGreaterThan(1.5);
    for (let n = 0; n < 16; n++) await say(question, undefined);
    const estimated = await say(question, undefined);
    expect(loadTokenizer).not.toHaveBeenCalled();
    const counted = await say(question, "o200k_base");
    expect(loadTokenizer).toHaveBeenCalledWith("o200k_base");
    expect(counted.length).toBeGreaterThan(estimated.length * 1.3);
    expect(tokensOf(counted)).toBeLessThanOrEqual(2000);
    // Not one message more: the next is a question.
    expect(tokensOf(counted) + countTokens(question)).toBeGreaterThan(2000);
  });

  it("are counted exactly before a question is refused as too long", async () => {
    const question = WORDY.repeat(Math.ceil(7000 / estimateTokens(WORDY)));
    await expect(say(question, undefined)).rejects.toMatchObject({ code: "payload_too_large" });
    expect((await say(question, "o200k_base")).at(-1)!.content).toBe(question);
    await expect(say(question.repeat(2), "o200k_base")).rejects.toMatchObject({ code: "payload_too_large" });
  });

  it("leave room for a useful answer, however little was reserved", async () => {
    const { deps } = createChatWorld(t.world, t.fake.url);
    const small = { ...deps, specOf: () => ({ context: 8192, input: 1, output: 2 }) };
    const record = (await t.world.stores.sessions.find({ user: "ann", id }))!;
    const message = (content: string): MessageRecord => ({
      id: content,
      role: "user",
      content,
      created_at: "2026-11-21T12:00:00.000Z",
    });
    const history = Array.from({ length: 20 }, (_, n) => message(`${n}`));
    for (let reserved = 90; reserved <= 140; reserved++) {
      const request = { ...turnRequest(small, "ann", id, "hi"), system: "" };
      const material = { record, history, skipped: 0, question: message("hi"), memories: [] };
      const prompts = promptsOf(small, request, { most: 4000, least: 90, output: 500 }, reserved, material);
      const { tokens, maxOutputTokens } = await prompts("model-a");
      expect(maxOutputTokens, String(reserved)).toBeGreaterThanOrEqual(64);
      expect(tokens + maxOutputTokens, String(reserved)).toBeLessThanOrEqual(reserved);
    }
  });

  it("are always counted exactly for the older encoding, because the estimate is no upper bound for it", async () => {
    await say("hello", "cl100k_base");
    expect(loadTokenizer).toHaveBeenCalledWith("cl100k_base");
  });
});
