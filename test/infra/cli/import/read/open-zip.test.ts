import { expect, test } from "vitest";
import { readEntry } from "../../../../../infra/cli/import/read/entry.ts";
import { openInputs } from "../../../../../infra/cli/import/read/open-inputs.ts";
import { openZip } from "../../../../../infra/cli/import/read/open-zip.ts";
import { FORMAT } from "../../../../../shared/exports/export-format.ts";
import { createScratch } from "../scratch.ts";
import { zipOf } from "../zip.ts";

const write = async (files: Record<string, string | Buffer>) => createScratch().write("export.zip", await zipOf(files));
/** Replaces all occurrences of a name by another one of the same length. */
const rename = (zip: Buffer, from: string, to: string) =>
  Buffer.from(zip.toString("latin1").replaceAll(from, to), "latin1");

test("the files of a zip archive can be read, and its directories are ignored", async () => {
  const { entries, close } = await openZip(await write({ "a/b.json": "[1]", "c.txt": "hello" }));
  expect(entries.map(({ name, bytes }) => [name, bytes])).toEqual([
    ["a/b.json", 3],
    ["c.txt", 5],
  ]);
  expect(String(await readEntry(entries[1]!))).toBe("hello");
  close();
});

test.each([
  [
    "ChatGPT's or Claude's export",
    { "conversations.json": "[]", "user.json": "{}", "chat.html": "" },
    ["conversations.json"],
  ],
  [
    "an export in parts",
    { "x/conversations-10.json": "[]", "x/conversations-2.json": "[]" },
    ["x/conversations-2.json", "x/conversations-10.json"],
  ],
  [
    "Takeout",
    { "Takeout/My Activity/Gemini Apps/MyActivity.json": "[]", "Takeout/a.json": "" },
    ["Takeout/My Activity/Gemini Apps/MyActivity.json"],
  ],
  [
    "Memocha's export",
    {
      "manifest.json": JSON.stringify({
        ...FORMAT,
        counts: {},
        entries: ["sessions-000001.jsonl", "sessions-000002.jsonl"].map((path) => ({ path, bytes: 0 })),
      }),
      "sessions-000001.jsonl": "",
      "sessions-000002.jsonl": "",
      "events-000001.jsonl": "",
    },
    ["sessions-000001.jsonl"],
  ],
  ["other files", { "b.jsonl": "", "a.json": "", "deep/c.json": "", "__MACOSX/a.json": "" }, ["a.json", "b.jsonl"]],
])("a zip archive stands for the conversations of %s", async (_, files, expected) => {
  const file = await write(files);
  const { inputs, close } = await openInputs([file]);
  expect(inputs.map((input) => input.file)).toEqual(expected.map((name) => `${file}: ${name}`));
  close();
});

test("a zip archive with a path outside of the archive is refused", async () => {
  const zip = rename(await zipOf({ "xx/conversations.json": "[]" }), "xx/conv", "../conv");
  await expect(openInputs([createScratch().write("bad.zip", zip)])).rejects.toThrow(
    /bad\.zip: invalid relative path: \.\.\/conversations/,
  );
});

test("a zip archive without conversations or without its end is refused", async () => {
  await expect(openInputs([await write({ "a.txt": "x" })])).rejects.toThrow("no .json or .jsonl file in this archive");
  await expect(openInputs([await write({})])).rejects.toThrow("no .json or .jsonl file in this archive");
  const zip = await zipOf({ "conversations.json": "[]" });
  const cut = createScratch().write("cut.zip", zip.subarray(0, -10));
  await expect(openInputs([cut])).rejects.toThrow(/cut\.zip: /);
});

test("a file whose packed size is tiny compared with its unpacked size is not read", async () => {
  const { entries, close } = await openZip(await write({ "conversations.json": Buffer.alloc(65 * 1024 * 1024, " ") }));
  await expect(readEntry(entries[0]!)).rejects.toThrow(/is 68157440 bytes unpacked, more than 200 times its size/);
  close();
});

test("a zip archive whose entries share their content is refused", async () => {
  const content = Buffer.alloc(2 * 1024 * 1024, " ");
  const zip = await zipOf(
    Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`conversations-${n}.json`, content])),
  );
  // The central directory of 40 files, behind the content of the first one only.
  const directory = zip.indexOf(Buffer.from("PK\u0001\u0002", "latin1"));
  const second = zip.indexOf(Buffer.from("PK\u0003\u0004", "latin1"), 4);
  const rest = Buffer.from(zip.subarray(directory));
  for (let at = 0; at < rest.length; at++) {
    if (rest.readUInt32BE(at) === 0x504b0102) rest.writeUInt32LE(0, at + 42);
    if (rest.readUInt32BE(at) === 0x504b0506) {
      rest.writeUInt32LE(second, at + 16);
      break;
    }
  }
  const bomb = createScratch().write("bomb.zip", Buffer.concat([zip.subarray(0, second), rest]));
  await expect(openZip(bomb)).rejects.toThrow("entries that overlap");
});

test("an entry whose content is larger than the archive says is an error", async () => {
  const zip = await zipOf({ "conversations.json": "x".repeat(1000) });
  const directory = zip.indexOf(Buffer.from("PK\u0001\u0002", "latin1"));
  zip.writeUInt32LE(10, directory + 24);
  const { entries, close } = await openZip(createScratch().write("lies.zip", zip));
  await expect(readEntry(entries[0]!)).rejects.toThrow(/too many bytes/);
  close();
});
