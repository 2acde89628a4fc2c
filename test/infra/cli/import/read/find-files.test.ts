import { mkdirSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { findFiles } from "../../../../../infra/cli/import/read/find-files.ts";
import { createScratch } from "../scratch.ts";

test("a directory stands for the files of an export, in the order of their numbers", async () => {
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
  const files = await findFiles([directory]);
  expect(files.map((file) => path.basename(file.path))).toEqual(["conversations-2.json", "conversations-10.json"]);
  expect(files[0]?.size).toBe(2);
});

test("a directory without files of an export stands for all of its JSON files", async () => {
  const { directory, write } = createScratch();
  for (const name of ["b.jsonl.gz", "a.jsonl", "notes.txt"]) write(name, "");
  const files = await findFiles([directory]);
  expect(files.map((file) => path.basename(file.path))).toEqual(["a.jsonl", "b.jsonl.gz"]);
});

test("an error names a file that does not exist, and a directory without JSON files", async () => {
  const { directory } = createScratch();
  await expect(findFiles([path.join(directory, "gone")])).rejects.toThrow(/gone: no such file/);
  mkdirSync(path.join(directory, "empty"));
  await expect(findFiles([path.join(directory, "empty")])).rejects.toThrow(/empty: no \.json or \.jsonl file/);
});
