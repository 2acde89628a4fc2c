import { countTokens as countOlder } from "gpt-tokenizer/encoding/cl100k_base";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { describe, expect, it } from "vitest";
import { loadTokenizer } from "../../../shared/llm/tokenizer.ts";
import { estimateTokens } from "../../../shared/llm/tokens.ts";

const english =
  "The quick brown fox jumps over the lazy dog. Conversations are kept as long as they are active; afterwards they are " +
  "archived, and whoever asks for one gets it back whole. Nothing is trimmed, and nobody has to remember where it was.";

/** What users write, by kind. */
const samples: Record<string, string> = {
  english,
  german:
    "Gespräche bleiben erhalten, solange sie geführt werden; danach wandern sie in ein Archiv, aus dem sie jederzeit " +
    "zurückgeholt werden können. Überschüssige Höflichkeitsfloskeln ändern daran nichts.",
  french:
    "Les conversations sont gardées aussi longtemps qu'elles durent ; après, on les retrouve dans les archives, entières.",
  russian: "Разговоры хранятся, пока они продолжаются, а затем попадают в архив, откуда их можно вернуть целиком.",
  chinese: "只要对话还在进行，就会一直保留；之后会被归档，随时可以完整地取回来。",
  japanese: "会話は続いている限り保存され、その後はアーカイブされ、いつでも全体を取り戻すことができます。",
  korean: "대화는 진행되는 동안 보관되고, 그 후에는 보관소로 옮겨져 언제든지 다시 불러올 수 있습니다.",
  arabic: "تُحفظ المحادثات ما دامت مستمرة، ثم تُنقل إلى الأرشيف حيث يمكن استعادتها كاملة في أي وقت.",
  hindi: "जब तक बातचीत चलती है, वह सुरक्षित रहती है; उसके बाद वह संग्रह में चली जाती है।",
  thai: "บทสนทนาจะถูกเก็บไว้ตราบเท่าที่ยังดำเนินอยู่ หลังจากนั้นจะถูกย้ายไปยังคลัง",
  emoji: "Great 👍🏽 see you 🎉🎉 at the 🏖️ with the 👩‍👩‍👧‍👦 then! 🥳",
  code: 'export const add = (a: number, b: number): number => a + b; // returns a sum\nif (x !== null) { y["key"] = 42; }',
  json: '{"id":"01a1fbf6-453f-7fff-9ed1-9345d7d2a413","usage":{"input_tokens":1234,"output_tokens":56},"tags":["a","b"]}',
  hash: "sGVsbG8gd29ybGQhIHRoaXMgaXMgYmFzZTY0IGFuZCBub3RoaW5nIGVsc2UsIGJ1dCBsb25n qwertzuiopasdfghjklyxcvbnmqwertzuiopasdf",
  numbers: "3.14159265358979 2718281828 1,000,000.00 2026-11-21T02:36:23.231Z",
};

describe("the estimate of tokens", () => {
  it.each(Object.entries(samples))("is not below the encoder's count, and not far above it: %s", (_, text) => {
    const long = Array(5).fill(text).join("\n");
    const ratio = estimateTokens(long) / countTokens(long);
    expect(ratio).toBeGreaterThanOrEqual(1);
    expect(ratio).toBeLessThanOrEqual(3);
  });

  it("is zero for an empty text", () => {
    expect(estimateTokens("")).toBe(0);
  });

  it("is quick for any text", () => {
    const began = performance.now();
    estimateTokens("a".repeat(300_000));
    estimateTokens("ab ".repeat(100_000));
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

describe("the tokenizer", () => {
  it.each(Object.entries(samples))("counts the tokens that the models read: %s", async (_, text) => {
    expect((await loadTokenizer("o200k_base"))(text)).toBe(countTokens(text));
    expect((await loadTokenizer("cl100k_base"))(text)).toBe(countOlder(text));
  });

  it("counts special tokens in a text as ordinary text", async () => {
    expect((await loadTokenizer("o200k_base"))("<|endoftext|>")).toBeGreaterThan(1);
  });

  it.each([
    ["letters", "a"],
    ["blanks", " "],
    ["emoji", "\u{1f389}"],
    ["marks", "!"],
    ["Chinese", "\u6c49"],
  ])("counts a message of nothing but %s quickly, and hardly more tokens than it has", async (_, character) => {
    const count = await loadTokenizer("o200k_base");
    expect(count(character.repeat(3000)) / countTokens(character.repeat(3000))).toBeLessThan(1.1);
    const began = performance.now();
    count(character.repeat(300_000));
    expect(performance.now() - began).toBeLessThan(3000);
  });
});
