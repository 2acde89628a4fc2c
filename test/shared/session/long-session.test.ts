import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Engines, startEngines } from "../../support/engines.ts";

let engines: Engines;
beforeAll(async () => {
  engines = await startEngines();
});
afterAll(() => engines.close());

const SCRIPT = fileURLToPath(new URL("../../support/long-session.ts", import.meta.url));
/** 5 KB each: 6 MB, in chunks of one. */
const MESSAGES = 1200;
/** Megabytes: of JavaScript's heap, and of everything beyond what the process has to begin with. */
const HEAP = 48;
const GROWTH = 100;

const range = (from: number, to: number) =>
  Array.from({ length: Math.abs(to - from) }, (_, n) => (from < to ? from + n : from - n));

it("a long session is archived, paged through and restored in memory that does not grow with it", async () => {
  const { dynamodb, s3 } = engines.endpoints;
  const { stdout } = await promisify(execFile)(process.execPath, [
    `--max-old-space-size=${HEAP}`,
    SCRIPT,
    dynamodb,
    s3,
    String(MESSAGES),
  ]);
  const { megabytes, chunks, pages, restored } = JSON.parse(stdout);
  expect(chunks).toBeGreaterThan(4);
  expect(pages.first).toEqual(range(0, 30));
  expect(pages.middle).toEqual(range(pages.middle[0], pages.middle[0] + 30));
  expect(pages.last).toEqual(range(MESSAGES - 1, MESSAGES - 31));
  expect(pages.second).toEqual(range(MESSAGES - 31, MESSAGES - 61));
  expect(restored).toEqual({ status: "active", message_count: MESSAGES, whole: true });
  expect(megabytes.restored - megabytes.baseline).toBeLessThan(GROWTH);
}, 120_000);
