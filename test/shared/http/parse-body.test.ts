import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_BODY_BYTES, parseBody } from "../../../shared/http/parse-body.ts";

const hasLoneSurrogate = (text: string) => /\\ud[89a-f]/i.test(text);

describe("the body of a request", () => {
  it("is parsed as JSON, as text and as bytes", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        fc.pre(!text.includes("__proto__") && !hasLoneSurrogate(text));
        expect(parseBody(text, false)).toEqual(JSON.parse(text));
        expect(parseBody(Buffer.from(text).toString("base64"), true)).toEqual(JSON.parse(text));
      }),
    );
  });

  it("fails only with errors for the client", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.json().map((text) => text.slice(1)),
        ),
        fc.boolean(),
        (text, binary) => {
          try {
            parseBody(text, binary);
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^(bad_request|validation_failed)$/) });
          }
        },
      ),
    );
  });

  it("is refused if it is not UTF-8, as bytes and as the gateway's text of other media types", () => {
    const refused = expect.objectContaining({ code: "bad_request" });
    expect(() => parseBody(Buffer.from('{"a":"\xff"}', "latin1").toString("base64"), true)).toThrow(refused);
    expect(() => parseBody('{"a":"\uFFFD"}', false)).toThrow(refused);
    expect(parseBody(Buffer.from('{"a":"\uFFFD"}').toString("base64"), true)).toEqual({ a: "\uFFFD" });
  });

  it.each([null, "", "  \n", Buffer.from(" ").toString("base64")])("is absent if it is %j", (body) => {
    expect(parseBody(body, body === "IA==")).toBeUndefined();
  });

  it("may have at most 4 MB", () => {
    const text = JSON.stringify("x".repeat(MAX_BODY_BYTES - 2));
    expect(parseBody(text, false)).toHaveLength(MAX_BODY_BYTES - 2);
    expect(() => parseBody(`${text} `, false)).toThrow(expect.objectContaining({ code: "payload_too_large" }));
    expect(() => parseBody("é".repeat(MAX_BODY_BYTES / 2 + 1), false)).toThrow(
      expect.objectContaining({ code: "payload_too_large" }),
    );
  });

  it("may have 64 levels, and brackets in strings do not count", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(() => parseBody(nested(64), false)).not.toThrow();
    expect(() => parseBody(nested(65), false)).toThrow(/64 levels/);
    expect(parseBody(JSON.stringify({ a: `"\\${"[{".repeat(500)}` }), false)).toEqual({ a: `"\\${"[{".repeat(500)}` });
    expect(parseBody(`[${"[],".repeat(1000)}[]]`, false)).toHaveLength(1001);
  });
});
