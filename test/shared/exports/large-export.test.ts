import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { expect, it } from "vitest";
import yauzl from "yauzl";
import { type BuildDependencies, buildExport, type Progress } from "../../../shared/exports/build-export.ts";
import type { ExportRecord } from "../../../shared/exports/export-store.ts";
import { packFile, type ZipEntry, zipDirectory } from "../../../shared/exports/zip.ts";
import { unzip } from "../../support/export-world.ts";

const MB = 1024 * 1024;
const RECORD: ExportRecord = {
  user_id: "ann",
  id: "e",
  status: "running",
  created_at: "2026-11-21T12:00:00.000Z",
  expires_at: 0,
  attempts: 1,
};

/** A user with only files, each of 25 MB. Nothing of the zip is kept. */
function manyFiles(count: number) {
  const content = randomBytes(25 * MB);
  const parts: number[] = [];
  let stored: { progress: Progress; etag: string } | null = null;
  let largest = 0;
  const files = Array.from({ length: count }, (_, n) => ({
    user_id: "ann",
    id: `${1000 - n}`,
    filename: "a.png",
    status: "ready",
  }));
  const none = async () => ({ records: [], more: false });
  const deps = {
    exports: { find: async () => RECORD, end: async () => true },
    objects: {
      readProgress: async () => stored && structuredClone(stored),
      writeProgress: async (_place: unknown, progress: Progress) => {
        largest = Math.max(largest, JSON.stringify(progress).length);
        stored = structuredClone({ progress, etag: `${parts.length} ${progress.saves}` });
        return stored.etag;
      },
      beginUpload: async () => "upload",
      putPart: async (_place: unknown, _upload: string, n: number, bytes: Uint8Array) => {
        parts[n - 1] = bytes.length;
        return `part ${n}`;
      },
      completeUpload: async () => true,
      removeProgress: async () => undefined,
    },
    files: {
      files: {
        list: async (_user: string, { after = "~", limit }: { after?: string; limit: number }) => {
          const rest = files.filter(({ id }) => id < after);
          return { files: rest.slice(0, limit), more: rest.length > limit };
        },
      },
      objects: { read: async () => content },
      clock: () => 0,
    },
    stores: { sessions: { list: none, async *all() {} }, clock: () => 0 },
    memories: { summary: async () => ({ forgottenBefore: 0 }), list: none, find: async () => [] },
    events: { async *ofUser() {} },
    usage: async () => ({}),
    settings: async () => ({}),
    newId: () => "run",
    clock: () => 0,
  } as unknown as BuildDependencies;
  return { deps, parts, largestProgress: () => largest };
}

it("an export of any size is built in parts that have at most 8 MB more than the largest file", {
  timeout: 60_000,
}, async () => {
  const { deps, parts, largestProgress } = manyFiles(8);
  expect(await buildExport(deps, RECORD, 1)).toBe("over");
  expect(parts.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(200 * MB);
  expect(parts.length).toBe(9);
  expect(Math.max(...parts)).toBeLessThan(33 * MB);
  // What is saved after a part holds no content.
  expect(largestProgress()).toBeLessThan(10_000);
});

it("a zip of more than 65,535 files is read by another library", async () => {
  const { entry, bytes } = packFile("0", Buffer.from("content"), 0);
  // All entries name the same content, because only the directory matters here.
  const entries = Array.from({ length: 66_000 }, (_, n): ZipEntry => ({ ...entry, path: `${n}` }));
  const file = Buffer.concat(bytes);
  const opened = await yauzl.fromBufferPromise(Buffer.concat([file, zipDirectory(entries, file.length)]));
  expect(opened.entryCount).toBe(66_000);
  let last = "";
  for await (const { fileName } of opened.eachEntry()) last = fileName;
  expect(last).toBe("65999");
});

it("a zip of more than 4 GB is read by another library", async () => {
  const far = 5 * 1024 ** 3;
  const { entry, bytes } = packFile("far.txt", Buffer.from("far away"), far);
  const end = Buffer.concat([...bytes, zipDirectory([entry], far + Buffer.concat(bytes).length)]);
  // Reads zeros before the file.
  class Sparse extends yauzl.RandomAccessReader {
    override _readStreamForRange(start: number, stop: number): Readable {
      const before = Buffer.alloc(Math.max(0, Math.min(stop, far) - start));
      return Readable.from([before, end.subarray(Math.max(0, start - far), Math.max(0, stop - far))]);
    }
  }
  const opened = await yauzl.fromRandomAccessReaderPromise(new Sparse(), far + end.length, {});
  for await (const found of opened.eachEntry()) {
    const content = await (await opened.openReadStreamPromise(found)).toArray();
    expect([found.fileName, Buffer.concat(content).toString()]).toEqual(["far.txt", "far away"]);
  }
  expect(opened.entryCount).toBe(1);
});

it("a file that compression does not make smaller is stored, and another one is compressed", async () => {
  const noise = randomBytes(1000);
  const { entry, bytes } = packFile("noise", noise, 0);
  const offset = Buffer.concat(bytes).length;
  const text = packFile("é/text.txt", Buffer.from("a".repeat(1000)), offset);
  const all = [...bytes, ...text.bytes];
  const zip = Buffer.concat([...all, zipDirectory([entry, text.entry], Buffer.concat(all).length)]);
  expect([entry.packed, text.entry.packed < 50]).toEqual([1000, true]);
  expect(await unzip(zip)).toEqual(
    new Map([
      ["noise", noise],
      ["é/text.txt", Buffer.from("a".repeat(1000))],
    ]),
  );
});
