import { expect, test } from "vitest";
import { detectLayout } from "../../../../../infra/cli/import/read/detect-layout.ts";

const detect = (text: string, final = true) => detectLayout(Buffer.from(text, "latin1"), final);

test.each([
  ["an array", '\n [{"id":1}]', { kind: "array", start: 3, around: 0 }],
  ["a wrapped array", '{"version":1,"conversations":[{}]}', { kind: "array", start: 30, around: 1 }],
  [
    "a wrapped array behind objects with the same key",
    '{"a":{"conversations":[]},"b":"conversations","conversations" : [{}]}',
    { kind: "array", start: 65, around: 1 },
  ],
  ["JSON Lines", '{"session":"a"}\n{"session":"b"}', { kind: "lines", start: 0 }],
  ["JSON Lines whose first line is cut off", '{"session":"a\n{"session":"b"}', { kind: "lines", start: 0 }],
  ["a byte order mark", '\u00ef\u00bb\u00bf{"session":"a"}', { kind: "lines", start: 3 }],
  ["a record over several lines", '{\n  "session": "a"\n}', { kind: "values", start: 0 }],
  ["a record that begins a line with others", '{"session": "a",\r\n "messages": []}', { kind: "values", start: 0 }],
  ["a record whose array begins a line", '{"session": "a", "messages": [\n{}]}', { kind: "values", start: 0 }],
  ["lines that are no JSON", "hello\n", { kind: "lines", start: 0 }],
  ["nothing but blanks", " \n\n", { kind: "empty" }],
])("the content shows that a file is %s", (_, text, layout) => {
  expect(detect(text)).toEqual(layout);
});

test.each([
  ["PK\u0003\u0004...", /zip archive/],
  ["\u00ff\u00fe[\u0000", /UTF-16/],
])("%j is refused with a text that says what to do", (text, problem) => {
  expect(detect(text)).toEqual({ kind: "foreign", problem: expect.stringMatching(problem) });
});

test("more bytes are needed when the object continues, because its array may come later", () => {
  expect(detect('{"version":1,"name":"conv', false)).toBeUndefined();
  expect(detect(`{"a":"${"\\\\".repeat(400_000)}`, false)).toBeUndefined();
});
