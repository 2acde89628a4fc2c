import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { createLog, type Log } from "../../../infra/local/log.ts";

function say(verbose: boolean, speak: (log: Log) => void): string[] {
  const lines: string[] = [];
  speak(createLog({ verbose, write: (line) => void lines.push(stripVTControlCharacters(line)) }));
  return lines.map((line) => line.replace(/^\d\d:\d\d:\d\d\.\d{3} /, ""));
}

const request = {
  method: "POST",
  route: "/items/{id}",
  path: "/items/7",
  status: 502,
  milliseconds: 12.3,
  requestId: "96264dc4-c05e-4c40-8b34-075ce7a9f55a",
  cause: "store failed: TypeError: bad\n    at handler (/x.ts:1:1)",
};

test("errors and warnings show their details with --verbose only", () => {
  const speak = (log: Log) => {
    log.error("no\ngood\n", "trace");
    log.warn("odd", "why");
    log.detail("quiet");
  };
  expect(say(false, speak)).toEqual(["error no\n  good\n", "warning odd\n"]);
  expect(say(true, speak)).toEqual(["error no\n  good\n  trace\n", "warning odd\n  why\n", "quiet\n"]);
});

test("a request is one line, and so is the cause of a failed one, without its stack trace", () => {
  expect(say(false, (log) => log.request(request))).toEqual([
    "POST /items/{id} 502 12 ms 96264dc4\n",
    "error 96264dc4: store failed: TypeError: bad\n",
  ]);
  expect(say(true, (log) => log.request(request))).toEqual([
    "POST /items/{id} (/items/7) 502 12 ms 96264dc4\n",
    "error 96264dc4: store failed: TypeError: bad\n      at handler (/x.ts:1:1)\n",
  ]);
  expect(say(false, (log) => log.request({ ...request, cause: undefined }))).toHaveLength(1);
});
