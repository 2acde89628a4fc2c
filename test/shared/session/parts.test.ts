import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromMessageItem, toMessageItem } from "../../../shared/session/items.dynamodb.ts";
import { type MessageRecord, sizeOf } from "../../../shared/session/message.ts";
import { bodyOf, MAX_CONTENT_BYTES, type MessagePart, partsSchema, textOf } from "../../../shared/session/parts.ts";

const text = fc.string({ unit: "grapheme" });
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<never>;
const part: fc.Arbitrary<MessagePart> = fc.oneof(
  fc.record({ type: fc.constant("text"), text }),
  fc.record({ type: fc.constant("reasoning"), text }),
  fc.record({ type: fc.constant("file"), file_id: fc.uuid(), media_type: fc.constant("image/png") }),
  fc.record({ type: fc.constant("tool_call"), tool_call_id: name, name, input: json }),
  fc.record({ type: fc.constant("tool_result"), tool_call_id: name, output: json, is_error: fc.boolean() }),
  fc.record({ type: fc.constant("source"), url: fc.webUrl() }),
  fc.record({ type: fc.constant("data"), name, data: json }),
) as fc.Arbitrary<MessagePart>;

describe("parts of a message", () => {
  it("are read from the table as they were written, with their text as content", () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 8 }), (parts) => {
        const message: MessageRecord = {
          id: "019aa2f4-7a30-7c64-9c6b-0d8f5f1f9a51",
          role: "user",
          created_at: "2026-11-21T00:00:00.000Z",
          ...bodyOf({ parts }),
        };
        expect(message.content).toBe(textOf(parts));
        const item = toMessageItem({ user: "u", id: "s" }, 1, message);
        expect(fromMessageItem(item)).toEqual(JSON.parse(JSON.stringify(message)));
        // An item of 400 KB is the largest that DynamoDB takes, so text must not be stored twice.
        expect("content" in item).toBe(message.parts === undefined);
      }),
    );
  });

  it("that are a single text are stored as content alone", () => {
    expect(bodyOf({ parts: [{ type: "text", text: "x" }] })).toEqual({ content: "x" });
    expect(bodyOf({ content: "x" })).toEqual({ content: "x" });
    const two: MessagePart[] = [
      { type: "text", text: "a" },
      { type: "reasoning", text: "b" },
      { type: "text", text: "c" },
    ];
    expect(bodyOf({ parts: two })).toEqual({ content: "a\n\nc", parts: two });
  });

  it("may have at most 300 KB as JSON", () => {
    const frame = JSON.stringify([{ type: "reasoning", text: "" }]).length;
    const parts = (bytes: number) => [{ type: "reasoning", text: "é".repeat((bytes - frame) / 2) }];
    expect(partsSchema.safeParse(parts(MAX_CONTENT_BYTES)).success).toBe(true);
    expect(partsSchema.safeParse(parts(MAX_CONTENT_BYTES + 2)).success).toBe(false);
  });

  it("are counted with the bytes that they take in the table", () => {
    const message = (length: number): MessageRecord => ({
      id: "i",
      role: "user",
      created_at: "t",
      ...bodyOf({ parts: [{ type: "reasoning", text: "é".repeat(length) }] }),
    });
    expect(sizeOf(message(500)) - sizeOf(message(0))).toBe(1000);
  });
});
