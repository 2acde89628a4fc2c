import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeCursor, encodeCursor } from "../../../shared/http/cursor.ts";
import { matchesEtag } from "../../../shared/http/headers.ts";

const scope = fc.array(fc.oneof(fc.string(), fc.integer(), fc.dictionary(fc.string(), fc.string())), { maxLength: 4 });
const ANY = /^/;

describe("a cursor", () => {
  it("returns its content, in a form that is safe in a URL", () => {
    fc.assert(
      fc.property(scope, fc.array(fc.string({ unit: "grapheme" }), { maxLength: 4 }), (scope, position) => {
        const cursor = encodeCursor(scope, position);
        expect(cursor).toMatch(/^[\w-]+$/);
        expect(
          decodeCursor(
            scope,
            cursor,
            position.map(() => ANY),
          ),
        ).toEqual(position);
      }),
    );
  });

  it("is refused by another query", () => {
    fc.assert(
      fc.property(scope, scope, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        expect(() => decodeCursor(other, encodeCursor(one, ["x"]), [ANY])).toThrow(/cursor/);
      }),
    );
  });

  it("is refused with a code and a field if it is not a cursor", () => {
    const forged = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const [binding] = JSON.parse(Buffer.from(encodeCursor(["s"], []), "base64url").toString());
    const bad = fc.oneof(fc.string(), fc.base64String(), fc.json(), fc.jsonValue().map(forged));
    const wrong = [[binding], [binding, 1], [binding, "x", "x"], [binding, null], [binding, ["x"]], [binding, "y"]];
    const refused = (cursor: string) =>
      void expect(() => decodeCursor(["s"], cursor, [/^x$/])).toThrow(
        expect.objectContaining({ code: "invalid_cursor", fields: [expect.objectContaining({ path: "cursor" })] }),
      );
    fc.assert(fc.property(bad, refused));
    for (const value of wrong) refused(forged(value));
    expect(decodeCursor(["s"], forged([binding, "x"]), [/^x$/])).toEqual(["x"]);
  });
});

describe("a list of ETags", () => {
  it.each([
    ["*", true],
    [" * ", true],
    ['"1-active"', true],
    ['W/"1-active"', true],
    ['"0", "1-active"', true],
    ['"0","1-active","2"', true],
    ["1-active", false],
    ['"1-archived"', false],
    ['"0", "2"', false],
    ["", false],
  ])("%j holds it: %j", (list, expected) => {
    expect(matchesEtag(list, '"1-active"')).toBe(expected);
  });
});
