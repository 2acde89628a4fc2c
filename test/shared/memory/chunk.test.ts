import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunksOf } from "../../../shared/memory/chunk.ts";

const LIMIT = 1500;
const words = (count: number, word = "word") => Array.from({ length: count }, () => word).join(" ");

describe("the chunks of a message", () => {
  it("are one trimmed text for a short message, and none for an empty message", () => {
    expect(chunksOf("  A short message.\n")).toEqual(["A short message."]);
    expect(chunksOf("x".repeat(LIMIT))).toEqual(["x".repeat(LIMIT)]);
    expect(chunksOf("x".repeat(LIMIT + 1))).toHaveLength(2);
    expect(chunksOf(" \n ")).toEqual([]);
  });

  it.each([
    ["a paragraph", `${words(200)}. One.\nTwo`, "\n\n", `${words(120)}. Three. Four\nfive`],
    ["a line", `${words(200)}. One. Two`, "\n", `${words(120)}. Three. Four`],
    ["a sentence", `${words(200)}.`, " ", words(150)],
    ["a sentence without a space after it", `${"字".repeat(1000)}。`, "", "字".repeat(600)],
    ["a word", words(300), " ", words(100)],
  ])("end at the end of %s, if that is in the second half of the maximum length", (_what, first, seam, rest) => {
    expect(chunksOf(first + seam + rest)).toEqual([first, rest]);
  });

  it("do not end in the first half of the maximum length, so that no memory is a single line", () => {
    const [first = ""] = chunksOf(`A title\n\n${words(400)}`);
    expect(first.length).toBeGreaterThan(LIMIT / 2);
    expect(first).toMatch(/^A title\n\nword/);
  });

  it("never end inside a surrogate pair", () => {
    const chunks = chunksOf(`x${"😀".repeat(2000)}`);
    expect(chunks.every((chunk) => chunk.isWellFormed())).toBe(true);
    expect(chunks[0]).toHaveLength(LIMIT - 1);
    expect(chunks.join("")).toBe(`x${"😀".repeat(2000)}`);
  });

  it("are at most twenty", () => {
    expect(chunksOf(words(10_000))).toHaveLength(20);
  });

  it("contain the whole text in order, and none exceeds the maximum length", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "b ", "c.", ". ", "\n", "\n\n", "é", "😀", "字。"),
      maxLength: 6000,
    });
    fc.assert(
      fc.property(text, (content) => {
        const chunks = chunksOf(content);
        for (const chunk of chunks) {
          expect(chunk.length).toBeLessThanOrEqual(LIMIT);
          expect(chunk).toBe(chunk.trim());
          expect(chunk).not.toBe("");
        }
        expect(chunks.join("").replace(/\s/g, "")).toBe(content.replace(/\s/g, ""));
      }),
      { numRuns: 60 },
    );
  });
});
