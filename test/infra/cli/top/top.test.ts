import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTable } from "../../../../shared/dynamodb/table.ts";
import { createRecorder, toRawItem } from "../../../../shared/metrics/recorder.dynamodb.ts";
import { createWorld } from "../../../support/world.ts";
import { command, type RunningHost, startRunningHost } from "../running-host.ts";

let host: RunningHost;
beforeAll(async () => {
  host = await startRunningHost();
  const world = createWorld(host.engines);
  await world.create("ann", "hot", 86_400);
  await world.create("ann", "cold", 60, 2);
  world.advance(61_000);
  await world.archiveJob({ Records: [(await world.sweep("ann", "cold"))!] });
  await host.sqs.send("dead", "a record that failed");
});
afterAll(() => host.close());

const top = async (...args: string[]) => {
  const { code, out, err } = await command("infra/cli/top/top.ts", ...args);
  return { code, err, lines: stripVTControlCharacters(out).split("\n") };
};

/** Metrics of requests and calls in the last minute, and one from before it. */
async function measure(): Promise<void> {
  const recorder = createRecorder(createTable(host.engines.dynamodb, host.engines.metricsTable), Date.now);
  const request = (duration_ms: number, status = "2xx", at = Date.now()) =>
    recorder.record({
      kind: "api.request",
      dimensions: { route: "GET /v1/sessions", status },
      measures: { duration_ms },
      ...(status === "2xx" ? {} : { error: "internal" }),
      at,
    });
  await request(5000, "2xx", Date.now() - 120_000);
  for (const duration of [1, 2, 3, 4, 5, 6, 7, 8, 9]) await request(duration);
  await request(100, "5xx");
  await recorder.record({ kind: "llm.call", dimensions: { model: "gpt-5" }, measures: { duration_ms: 1234.5 } });
}

describe("npm run top", () => {
  it("shows the host's requests of the last minute, and its sessions", async () => {
    await measure();
    const { code, err, lines } = await top("--data", host.data, "--once");
    expect([code, err]).toEqual([0, ""]);
    expect(lines[0]).toMatch(/^memocha {2}http:\/\/127\.0\.0\.1:3000 {2}\d\d:\d\d:\d\d UTC$/);
    expect(lines[2]).toMatch(/^requests {2}\d+\.\d\/s {3}last minute 10, failed 1$/);
    expect(lines[4]).toBe("sessions  hot 1   archived 1        dead letters 1");
    const row = (name: string) =>
      lines
        .find((line) => line.startsWith(name))
        ?.slice(name.length)
        .trim()
        .split(/ +/);
    expect(row("GET /v1/sessions")).toEqual(["10", "1", "5.0", "9.0", "9.0"]);
    expect(row("llm gpt-5")).toEqual(["1", "0", "1234.5", "1234.5", "1234.5"]);
  });

  it("counts every call of a minute whose records fill more than one page per shard", async () => {
    const table = createTable(host.engines.dynamodb, host.engines.metricsTable);
    const call = { kind: "llm.call", dimensions: { model: "large" }, measures: { duration_ms: 1 } } as const;
    // DynamoDB ends a page after 1 MB.
    const padded = () => ({ ...toRawItem(call, Date.now()), padding: "x".repeat(300_000) });
    await table.batchWrite(Array.from({ length: 48 }, padded), []);
    const { lines } = await top("--data", host.data, "--once");
    expect(lines.find((line) => line.startsWith("llm large"))).toMatch(/^llm large +48 /);
  });

  it("refuses an option that it does not know with exit code 2", async () => {
    const { code, err } = await top("--data", host.data, "--twice");
    expect([code, err]).toEqual([2, expect.stringContaining("Unknown option '--twice'")]);
    expect(err).toContain("npm run top -- --help");
  });

  it("says what to do when no host is running", async () => {
    const { code, err } = await top("--data", "/nowhere");
    expect([code, err]).toEqual([1, expect.stringContaining("Start one (npm start)")]);
  });
});
