import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ReembedResult } from "../../../../shared/memory/reembed.ts";
import { command } from "../running-host.ts";

const REEMBED = "infra/cli/reembed/reembed.ts";
const space = { model: "lexical", dimensions: 512 };

let data: string;
let lambda: Server;
let payloads: unknown[];
/** The answers of the fake function, in order. */
let results: ReembedResult[];

beforeEach(async () => {
  data = mkdtempSync(path.join(tmpdir(), "memocha-test-"));
  payloads = [];
  lambda = createServer(async (request, response) => {
    payloads.push(JSON.parse(await text(request)));
    response.end(JSON.stringify(results.shift()));
  });
  await new Promise<void>((resolve) => lambda.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(lambda.address() as AddressInfo).port}`;
  const outputs = { DeadLetterQueueUrl: url, ReconcileFunctionName: "reconcile", ReembedFunctionName: "reembed" };
  const endpoints = { dynamodb: url, streams: url, s3: url, sqs: url, lambda: url };
  writeFileSync(path.join(data, "host.json"), JSON.stringify({ pid: process.pid, url, endpoints, outputs }));
});
afterEach(() => {
  lambda.closeAllConnections();
  lambda.close();
  rmSync(data, { recursive: true, force: true });
});

describe("npm run reembed", () => {
  it("says that there is nothing to do", async () => {
    results = [{ state: "current", slot: "a", space }];
    expect(await command(REEMBED, "--data", data)).toEqual({
      code: 0,
      out: `Memories of the local host on ${data}\nnothing to do (lexical, 512 dimensions, index a)\n`,
      err: "",
    });
  });

  it("invokes the function until all is done, asks for the change once, and prints each new state", async () => {
    const progress = { shards: 4, sessions: 1, vectors: 1200, of: 16 };
    results = [
      { state: "building", slot: "b", space, progress },
      { state: "building", slot: "b", space, progress },
      { state: "done", slot: "b", space },
    ];
    const { code, out } = await command(REEMBED, "--data", data, "--force", "--dimensions", "512");
    expect(code).toBe(0);
    expect(out.split("\n").slice(1)).toEqual([
      "building (lexical, 512 dimensions, index b): 1 session, 1,200 vectors, part 4 of 16",
      "done (lexical, 512 dimensions, index b)",
      "",
    ]);
    expect(payloads).toEqual([{ seconds: 20, force: true, dimensions: 512 }, { seconds: 20 }, { seconds: 20 }]);
  });
});
