import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ElementOptions, splitElements } from "../../../../../infra/cli/import/read/split-elements.ts";

/** The JSON of each element, or its problem. Chunks have `size` bytes. */
async function split(text: string, size: number, options: ElementOptions): Promise<string[]> {
  const bytes = Buffer.from(text);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const found: string[] = [];
  for await (const { content } of splitElements(chunks(), options)) {
    found.push(Buffer.isBuffer(content) ? content.toString() : content.problem);
  }
  return found;
}

const inArray: ElementOptions = { array: { around: 0 } };

describe("the elements of an array", () => {
  test("are complete for any whitespace and any ends of chunks", async () => {
    const values = fc.array(fc.oneof(fc.object({ withNullPrototype: false }), fc.string(), fc.double({ noNaN: true })));
    await fc.assert(
      fc.asyncProperty(values, fc.nat(3), fc.integer({ min: 1, max: 40 }), async (array, indent, size) => {
        const json = JSON.stringify(array, null, indent);
        const found = await split(json.slice(1), size, inArray);
        expect(found.map((element) => JSON.parse(element))).toEqual(JSON.parse(json));
      }),
    );
  });

  test("may have brackets and quotes in strings", async () => {
    const tricky = [{ text: '] } , [ { "' }, { text: "\\" }, { text: '\\"' }, "],["];
    expect(await split(JSON.stringify(tricky).slice(1), 3, inArray)).toEqual(
      tricky.map((value) => JSON.stringify(value)),
    );
  });

  test("are read when other elements are broken", async () => {
    expect(await split('{"a":1},{"b":nonsense,},\n{"c":3}]', 5, inArray)).toEqual([
      '{"a":1}',
      '{"b":nonsense,}',
      '{"c":3}',
    ]);
  });

  test("have a problem when they are too large", async () => {
    const found = await split(`{"a":1},{"b":"${"x".repeat(50)}"},{"c":3}]`, 7, { ...inArray, maxBytes: 20 });
    expect(found).toEqual(['{"a":1}', "the record is larger than 20 bytes", '{"c":3}']);
  });

  test.each(['{"a":1},{"b":', '{"a":1},{"b":2}', '{"a":1},', '{"a":1},{"b":"'])(
    "are reported as cut off where the file ends in %s",
    async (text) => {
      const found = await split(text, 4, inArray);
      expect(found[0]).toBe('{"a":1}');
      expect(found.at(-1)).toMatch(/^the file ends before/);
    },
  );

  test("have the line and the index at which they begin", async () => {
    async function* chunks() {
      yield Buffer.from('\n{"a":\n1}, {"b":2},\n\n"c"]');
    }
    const places: unknown[] = [];
    for await (const { line, index } of splitElements(chunks(), { ...inArray, firstLine: 5 }))
      places.push([line, index]);
    expect(places).toEqual([
      [6, 0],
      [7, 1],
      [9, 2],
    ]);
  });

  test("end with the array: later fields of the object around it are ignored", async () => {
    const text = '{"a":1}], "conversations_of_others": [{"b":2}], "x": "]}"}\n';
    expect(await split(text, 6, { array: { around: 1 } })).toEqual(['{"a":1}']);
  });

  test.each([
    ['{"a":1}]\n[{"b":2}]', 0],
    ['{"a":1}] }{"conversations":[]}', 1],
  ] as const)("are followed by a problem when a second array follows: %s", async (text, around) => {
    const [first, rest, ...more] = await split(text, 4, { array: { around } });
    expect(first).toBe('{"a":1}');
    expect(rest).toMatch(/the file continues/);
    expect(more).toEqual([]);
  });
});

test("a sequence of values without an array is split at the end of each value", async () => {
  expect(await split('{\n"a":1\n}\n{"b":[2]}\n  {"c":3}', 4, {})).toEqual(['{\n"a":1\n}', '{"b":[2]}', '{"c":3}']);
  expect(await split('{"a":1}\n{"b":', 4, {})).toEqual(['{"a":1}', expect.stringMatching(/^the file ends before/)]);
});
