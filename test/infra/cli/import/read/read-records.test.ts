import { createReadStream } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { readRecords } from "../../../../../infra/cli/import/read/read-records.ts";
import { createScratch } from "../scratch.ts";

async function read(content: string | Uint8Array): Promise<unknown[]> {
  const file = createScratch().write("input", content);
  let bytes = 0;
  const found: unknown[] = [];
  const count = (more: number): void => {
    bytes += more;
  };
  for await (const { place, content } of readRecords(() => createReadStream(file, { highWaterMark: 65536 }), count)) {
    found.push("value" in content ? content.value : `${place}: ${content.problem}`);
  }
  expect(bytes).toBe(content.length);
  return found;
}

const lines = '{"session":"a"}\r\n\n{"session":"b"}';

describe("the records of a file", () => {
  test.each([
    ["JSON Lines with blank lines and no end", lines],
    ["gzip, whatever its name", gzipSync(lines)],
    ["gzip in several members", Buffer.concat([gzipSync('{"session":"a"}\n'), gzipSync('{"session":"b"}')])],
    ["an array", '[{"session":"a"},\n{"session":"b"}]\n'],
    ["a wrapped array", '{"conversations": [{"session":"a"},{"session":"b"}], "more": []}'],
    ["a byte order mark", Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(lines)])],
    ["records over several lines", '{\n"session":"a"}\n{\n"session":"b"\n}\n'],
  ])("are read from %s", async (_, content) => {
    expect(await read(content)).toEqual([{ session: "a" }, { session: "b" }]);
  });

  test.each(["", " \n\n", "\ufeff", "[]", '{"conversations": []}', gzipSync("")])(
    "are one problem of the file when it has none: %j",
    async (content) => {
      const bytes = Buffer.from(content);
      expect(await read(bytes)).toEqual(["file: the file has no conversation"]);
    },
  );

  test("have a problem and a place when they are not JSON or not UTF-8, and the next ones are read", async () => {
    const content = Buffer.concat([
      Buffer.from('{"session":"a"}\n{"session":\n"'),
      Buffer.from([0xff, 0xfe, 0x22, 0x0a]),
      Buffer.from('{"session":"b"}'),
    ]);
    expect(await read(content)).toEqual([
      { session: "a" },
      expect.stringMatching(/^line 2: invalid JSON: /),
      "line 3: not valid UTF-8",
      { session: "b" },
    ]);
    expect(await read('[\n{"a":1},\n{"b":},\n{"c":3}]')).toEqual([
      { a: 1 },
      expect.stringMatching(/^conversation 2 \(line 3\): invalid JSON: /),
      { c: 3 },
    ]);
  });

  test("are read up to the damage in a compressed file", async () => {
    const [first, ...rest] = await read(gzipSync(`${lines}\n`).subarray(0, -4));
    expect(first).toEqual({ session: "a" });
    expect(rest.at(-1)).toBe("file: cannot be read: unexpected end of file");
  });

  test("are not read from a zip archive inside another archive", async () => {
    expect(await read("PK\u0003\u0004rest")).toEqual([expect.stringMatching(/zip archive in an archive: unpack it/)]);
  });

  test("are read only when the caller asks for them", async () => {
    const line = `${JSON.stringify({ session: "a", text: "x".repeat(1000) })}\n`;
    const file = createScratch().write("input", line.repeat(8000));
    let read = 0;
    let taken = 0;
    let ahead = 0;
    const records = readRecords(
      () => createReadStream(file, { highWaterMark: 65536 }),
      (bytes) => {
        read += bytes;
      },
    );
    for await (const { bytes } of records) {
      taken += bytes + 1;
      // Enough time for a reader that reads ahead.
      if (taken % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      ahead = Math.max(ahead, read - taken);
    }
    expect(taken).toBe(line.length * 8000);
    expect(ahead).toBeLessThan(1024 * 1024);
  });
});
