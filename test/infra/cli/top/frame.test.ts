import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { frameOf } from "../../../../infra/cli/top/frame.ts";
import type { Sample } from "../../../../infra/cli/top/sampler.ts";

const AT = Date.parse("2026-11-21T12:00:00.000Z");

const request = (secondsAgo: number, route = "GET /health"): Sample["recent"][number] => ({
  kind: "api.request",
  dimensions: { route, status: "2xx" },
  measures: { duration_ms: 1000 },
  at: AT - secondsAgo * 1000,
});

const frame = (recent: Sample["recent"], width = 100) =>
  frameOf({ url: "http://localhost", at: AT, recent, queue: 0, sessions: { hot: 0, archived: 0 } }, width).map(
    stripVTControlCharacters,
  );

describe("a frame", () => {
  it("says that a quiet host had no requests", () => {
    const lines = frame([]);
    expect(lines[2]).toBe("requests  0.0/s   last minute 0, failed 0");
    expect(lines[3]!.trim()).toBe("");
    expect(lines.filter((line) => line.endsWith("none in the last minute"))).toHaveLength(2);
  });

  it("has the rate of the last five whole seconds, and a bar for each of the last sixty", () => {
    const lines = frame([...Array.from({ length: 20 }, () => request(2.5)), request(59.5), request(0.1)]);
    expect(lines[2]).toBe("requests  4.0/s   last minute 22, failed 0");
    expect(lines[3]!.slice(10)).toBe(`▁${" ".repeat(56)}█ ▁`);
  });

  it("fits the width of the terminal, with the busiest route first", () => {
    const routes = ["GET /v1/sessions/{id}/messages", "POST /v1/sessions", "POST /v1/sessions"];
    const lines = frame(
      routes.map((route) => request(1, route)),
      60,
    );
    for (const line of lines.slice(1)) expect(line.length).toBeLessThanOrEqual(60);
    const named = lines.filter((line) => /^(GET|POST)/.test(line));
    expect(named.map((line) => line.split(" ")[0])).toEqual(["POST", "GET"]);
  });
});
