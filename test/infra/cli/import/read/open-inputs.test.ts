import { mkdirSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { openInputs } from "../../../../../infra/cli/import/read/open-inputs.ts";
import { createScratch } from "../scratch.ts";

const namesIn = async (given: string) =>
  (await openInputs([given])).inputs.map(({ file }) => path.relative(given, file));

test("a directory with an export opens the files of the export, in the order of their numbers", async () => {
  const { directory, write } = createScratch();
  for (const name of [
    "conversations-10.json",
    "conversations-2.json",
    "user.json",
    "chat.html",
    "shared_conversations.json",
  ]) {
    write(name, "[]");
  }
  expect(await namesIn(directory)).toEqual(["conversations-2.json", "conversations-10.json"]);
  expect((await openInputs([directory])).inputs[0]?.bytes).toBe(2);
});

test("a directory without an export opens all JSON files in it", async () => {
  const { directory, write } = createScratch();
  for (const name of ["b.jsonl.gz", "a.jsonl", "notes.txt"]) write(name, "");
  expect(await namesIn(directory)).toEqual(["a.jsonl", "b.jsonl.gz"]);
});

test("an error names a file that does not exist, and a directory without JSON files", async () => {
  const { directory } = createScratch();
  await expect(openInputs([path.join(directory, "gone")])).rejects.toThrow(/gone: no such file/);
  mkdirSync(path.join(directory, "empty"));
  await expect(openInputs([path.join(directory, "empty")])).rejects.toThrow(/empty: no \.json or \.jsonl file/);
});
