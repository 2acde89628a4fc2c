import { existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTable } from "../../../../shared/dynamodb/table.ts";
import { createRecorder } from "../../../../shared/metrics/recorder.dynamodb.ts";
import { commandAt, type RunningHost, startRunningHost } from "../running-host.ts";

const month = "2026-11";
const now = Date.parse(`${month}-21T12:00:00.000Z`);
let host: RunningHost;
beforeAll(async () => {
  host = await startRunningHost();
  const recorder = createRecorder(createTable(host.engines.dynamodb, host.engines.metricsTable), () => now);
  for (const [user, status, duration_ms] of [
    ["ann", "2xx", 20],
    ["bob", "2xx", 40],
    ["bob", "5xx", 900],
  ] as const) {
    await recorder.record({
      kind: "api.request",
      dimensions: { route: "POST /v1/sessions", status },
      measures: { duration_ms, sessions: 1 },
      user,
    });
  }
});
afterAll(() => host.close());

const report = (...args: string[]) => commandAt(now, "infra/cli/report/report.ts", ...args);
/** The cells of a line of the output, by its name. */
const cells = (out: string, name: string) => out.match(new RegExp(`^${name} +(\\S+) +(\\S+)$`, "m"))?.slice(1);

describe("npm run report", () => {
  it("shows the current month beside the month before, and writes it as JSON and HTML", async () => {
    const { code, out, err } = await report("--data", host.data);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(new RegExp(`^${month} so far +month before`));
    expect(cells(out, "requests")).toEqual(["3", "–"]);
    expect(cells(out, "active users")).toEqual(["2", "–"]);
    expect(cells(out, "error rate")).toEqual(["0.3333", "–"]);
    const [json = "", html = ""] = out.trim().split("\n").slice(-2);
    expect([json, html]).toEqual(["json", "html"].map((format) => path.join(host.data, `report-${month}.${format}`)));
    expect(JSON.parse(readFileSync(json, "utf8"))).toMatchObject({ month, complete: false, figures: { requests: 3 } });
    expect(readFileSync(html, "utf8")).toContain("</html>");
  });

  it("writes the given month to the given directory", async () => {
    const directory = path.join(host.data, "reports");
    mkdirSync(directory);
    const { code, out } = await report("2020-01", "--data", host.data, "--out", directory);
    expect(code).toBe(0);
    expect(out).toMatch(/^2020-01 +month before/);
    expect(cells(out, "requests")).toEqual(["0", "–"]);
    expect(existsSync(path.join(directory, "report-2020-01.html"))).toBe(true);
  });

  it.each([
    [["2026-13"], 'The month must be like 2026-10, not "2026-13".'],
    [["2026-10", "2026-11"], 'The month must be like 2026-10, not "2026-10 2026-11".'],
    [["9999-12"], "The month 9999-12 is in the future."],
    [["--format", "pdf"], "Unknown option '--format'"],
  ])("refuses %j with exit code 2", async (args, message) => {
    const { code, out, err } = await report(...args, "--data", host.data);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(message);
    expect(err).toContain("npm run report -- --help");
    expect(existsSync(path.join(host.data, "report-9999-12.json"))).toBe(false);
  });

  it("says what to do when no host is running", async () => {
    const { code, out, err } = await report("--data", "/nowhere");
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain("No local host is running on /nowhere");
  });
});
