import { describe, expect, it } from "vitest";
import { EMPTY_LINES, limitHeld } from "../../../shared/openai/limit-held.ts";

async function passed(chunks: string[], separators: readonly string[], most = 10): Promise<string> {
  let text = "";
  for await (const chunk of limitHeld(chunks, separators, most)) text += chunk;
  return text;
}

describe("a response of which 10 bytes may be held", () => {
  it.each([["\n\n"], ["\r\r"], ["\r\n\r\n"]])("may have any number of events that end with %j", async (end) => {
    const chunks = Array(20).fill(`abc${end}`);
    expect(await passed(chunks, EMPTY_LINES)).toBe(chunks.join(""));
  });

  it("may have events that end between two chunks", async () => {
    const chunks = Array(20).fill(["\nabc\r\n", "\r"]).flat();
    expect(await passed(chunks, EMPTY_LINES)).toBe(chunks.join(""));
  });

  it("may not have an event of 11 bytes, in one chunk or in many", async () => {
    await expect(passed(["a\n\n", "a".repeat(11)], EMPTY_LINES)).rejects.toThrow("in one piece");
    await expect(passed(Array(11).fill("a"), EMPTY_LINES)).rejects.toThrow("in one piece");
    await expect(passed(Array(11).fill("a\n"), EMPTY_LINES)).rejects.toThrow("in one piece");
  });

  it("may not have 11 bytes when it is no stream of events", async () => {
    expect(await passed(["abcd", "\n\n", "abcd"], [])).toBe("abcd\n\nabcd");
    await expect(passed(["abcd", "\n\n", "abcde"], [])).rejects.toThrow("in one piece");
  });
});
