import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileFilter } from "../../../../infra/local/events/filter-pattern.ts";

const matches = (pattern: object, event: unknown) => compileFilter(pattern)(event);

const ttlRemoval = {
  eventName: "REMOVE",
  userIdentity: { type: "Service", principalId: "dynamodb.amazonaws.com" },
  dynamodb: { Keys: { pk: { S: "U#a#S#1" }, sk: { S: "Z" } }, SizeBytes: 120 },
};

describe("a filter pattern", () => {
  it("matches only the TTL deletions of headers", () => {
    const pattern = {
      eventName: ["REMOVE"],
      userIdentity: { type: ["Service"], principalId: ["dynamodb.amazonaws.com"] },
      dynamodb: { Keys: { sk: { S: ["Z"] } } },
    };
    expect(matches(pattern, ttlRemoval)).toBe(true);
    expect(matches(pattern, { ...ttlRemoval, userIdentity: undefined })).toBe(false);
    expect(matches(pattern, { ...ttlRemoval, eventName: "MODIFY" })).toBe(false);
    expect(matches(pattern, { ...ttlRemoval, dynamodb: { Keys: { sk: { S: "M#1" } } } })).toBe(false);
  });

  it.each<[string, unknown[], unknown, boolean]>([
    ["equal strings", ["a"], "a", true],
    ["a number is not its text", [5], "5", false],
    ["equal numbers", [5], 5.0, true],
    ["any of a list", ["a", 5, true], true, true],
    ["null", [null], null, true],
    ["null is not nothing", [null], undefined, false],
    ["the empty string", [""], "", true],
    ["prefix", [{ prefix: "ab" }], "abc", true],
    ["an object is no value", [{ prefix: "" }], { a: 1 }, false],
    ["an empty array has no value", ["a"], [], false],
    ["no prefix", [{ prefix: "bc" }], "abc", false],
    ["prefix of a number", [{ prefix: "1" }], 12, false],
    ["one of an array", ["b"], ["a", "b"], true],
    ["none of an array", ["c"], ["a", "b"], false],
  ])("%s", (_name, rules, value, expected) => {
    expect(matches({ at: rules }, { at: value })).toBe(expected);
    expect(matches({ deep: { at: rules } }, { deep: { at: value, other: 1 } })).toBe(expected);
  });

  it("matches one object of a list as a whole", () => {
    const pattern = { L: { a: [1], b: [2] } };
    expect(matches(pattern, { L: [{ a: 1, b: 2 }] })).toBe(true);
    expect(matches(pattern, { L: [{ a: 1 }, { b: 2 }] })).toBe(false);
  });

  it.each([
    [{ a: [] }, "empty"],
    [{ a: [{ cidr: "10.0.0.0/8" }] }, '"cidr" is not known'],
    [{ a: [{ prefix: 1 }] }, "prefix takes a string"],
    [{ a: [{ numeric: [">", 1] }] }, '"numeric" is not known'],
    [{ $or: [{ a: [1] }] }, '"$or" is not known'],
    [{ a: [{ exists: false }] }, '"exists" is not known'],
    [{ a: [{ "anything-but": "x" }] }, '"anything-but" is not known'],
    [{ a: [{ prefix: "a", suffix: "b" }] }, "one operator"],
    [{ a: "text" }, "is an object"],
  ])("is refused when it is malformed or has an unknown operator: %j", (pattern, message) => {
    expect(() => compileFilter(pattern)).toThrow(message);
  });
});

/** Events as flat maps of dotted paths, and a direct reading of each rule. */
const scalar = fc.oneof(
  fc.constantFrom("a", "b", "ab", "ba", ""),
  fc.constantFrom(0, 1, 2),
  fc.boolean(),
  fc.constant(null),
);
const paths = ["a", "b.a", "b.b", "c.a.a"];
const eventModel = fc.dictionary(fc.constantFrom(...paths), scalar, { noNullPrototype: true });
const rule = fc.oneof(
  scalar.map((value) => ({ rule: value as unknown, holds: (v: unknown) => v === value })),
  fc.constantFrom("a", "b", "").map((text) => ({
    rule: { prefix: text },
    holds: (v: unknown) => typeof v === "string" && v.startsWith(text),
  })),
);
const patternModel = fc.dictionary(fc.constantFrom(...paths), fc.array(rule, { minLength: 1, maxLength: 3 }), {
  noNullPrototype: true,
});

it("a filter pattern matches like a direct reading of its rules", () => {
  fc.assert(
    fc.property(eventModel, patternModel, (event, pattern) => {
      const expected = Object.entries(pattern).every(([at, rules]) => rules.some(({ holds }) => holds(event[at])));
      const rules = Object.fromEntries(Object.entries(pattern).map(([at, list]) => [at, list.map((r) => r.rule)]));
      expect(matches(nested(rules), nested(event))).toBe(expected);
    }),
    { numRuns: 500 },
  );
});

function nested(flat: Record<string, unknown>): object {
  const root: Record<string, unknown> = {};
  for (const [at, value] of Object.entries(flat)) {
    const names = at.split(".");
    let node = root;
    for (const name of names.slice(0, -1)) {
      node[name] ??= {};
      node = node[name] as Record<string, unknown>;
    }
    node[names.at(-1)!] = value;
  }
  return root;
}
