import { describe, expect, it } from "vitest";
import { createAnswerLimit } from "../../../shared/chat/answer-limit.ts";
import { loadTokenizer } from "../../../shared/llm/tokenizer.ts";
import { estimateTokens } from "../../../shared/llm/tokens.ts";
import { MAX_CONTENT_BYTES } from "../../../shared/session/parts.ts";

const PROSE = "The ferry leaves at noon, unless the captain has overslept again. ";

describe("an answer", () => {
  it("of exactly as many tokens as allowed stays whole, although its estimate is higher", async () => {
    const count = await loadTokenizer("o200k_base");
    const text = PROSE.repeat(20);
    const tokens = count(text);
    expect(estimateTokens(text)).toBeGreaterThan(tokens);
    const limit = createAnswerLimit(tokens);
    expect([await limit.take(text), limit.isReached()]).toEqual([text, false]);
    expect([await limit.take("x"), limit.isReached()]).toEqual(["", true]);
  });

  it.each(["all at once", "word by word"])("of more tokens is cut at the limit (%s)", async (how) => {
    const count = await loadTokenizer("o200k_base");
    const text = PROSE.repeat(20);
    const limit = createAnswerLimit(100);
    let said = "";
    for (const piece of how === "all at once" ? [text] : (text.match(/\S+ /g) ?? [])) {
      if (!limit.isReached()) said += await limit.take(piece);
    }
    expect(text.startsWith(said)).toBe(true);
    expect(count(said)).toBeLessThanOrEqual(100);
    expect(count(said)).toBeGreaterThan(90);
  });

  it.each(["a", "é", "語", "😀"])(
    "of %s is cut to the bytes of a message, between two characters",
    async (character) => {
      const limit = createAnswerLimit(10_000_000);
      const text = await limit.take(` ${character.repeat(MAX_CONTENT_BYTES)}`);
      expect([text.isWellFormed(), limit.isReached()]).toEqual([true, true]);
      const width = Buffer.byteLength(character);
      expect(text.slice(1)).toBe(character.repeat(Math.floor((MAX_CONTENT_BYTES - 1) / width)));
    },
  );
});
