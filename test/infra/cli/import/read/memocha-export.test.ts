import { expect, test } from "vitest";
import { findMemochaExport } from "../../../../../infra/cli/import/read/memocha-export.ts";
import { FORMAT } from "../../../../../shared/exports/export-format.ts";
import { entryOf } from "../fixtures.ts";

const counts = { sessions: 1, messages: 1, memories: 2, events: 3, files: 2 };

/** The entries of an export with these sessions and other files. */
function entriesOf(texts: Record<string, string>, about: object = {}, root = "") {
  const entries = Object.entries(texts).map(([path, text]) => ({ path, bytes: Buffer.byteLength(text), sha256: "" }));
  const manifest = JSON.stringify({ ...FORMAT, counts, entries, ...about });
  return Object.entries({ ...texts, "manifest.json": manifest }).map(([name, text]) => entryOf(root + name, text));
}

const texts = {
  "sessions-000001.jsonl": "a\n",
  "sessions-000002.jsonl": "b\n",
  "files-000001.jsonl": '{"id":"f1","session_id":"s1"}\n{"id":"f2","filename":"\\"session_id\\":"}\n',
  "settings.json": '{"memory":false}\n',
};

test.each(["", "export/"])("Memocha's export is found by its manifest, also below '%s'", async (root) => {
  const found = await findMemochaExport(entriesOf(texts, {}, root));
  expect(found).toMatchObject({ counts, unused: 1, memory: false });
  expect(found?.sessions.map(({ name }) => name)).toEqual([
    `${root}sessions-000001.jsonl`,
    `${root}sessions-000002.jsonl`,
  ]);
});

test("an export of a user without data has no sessions, and memory is on", async () => {
  expect(await findMemochaExport(entriesOf({}))).toMatchObject({ sessions: [], unused: 0, memory: true });
});

test.each([
  [
    "lacks a file of sessions",
    "sessions-000002.jsonl is missing, but manifest.json lists it: download the export again",
  ],
  [
    "has a file of sessions that was cut off",
    "sessions-000002.jsonl has 1 bytes instead of 2: download the export again",
  ],
])("an export that %s is refused, because the next file can continue its session", async (what, problem) => {
  const cut = what.includes("cut off") ? [entryOf("sessions-000002.jsonl", "b")] : [];
  const entries = entriesOf(texts).filter(({ name }) => name !== "sessions-000002.jsonl");
  await expect(findMemochaExport([...entries, ...cut])).rejects.toThrow(problem);
});

test("an export of a later version is refused", async () => {
  await expect(findMemochaExport(entriesOf(texts, { version: 2 }))).rejects.toThrow(
    "an export of version 2; this command reads version 1",
  );
});

test.each([
  "{}",
  "[]",
  "null",
  "{broken",
  '{"format":"memocha-export"}',
  `{"format":"memocha-export","counts":{},"entries":[null]}`,
])("a manifest.json with %s belongs to something else", async (text) => {
  expect(await findMemochaExport([entryOf("manifest.json", text)])).toBeUndefined();
});
