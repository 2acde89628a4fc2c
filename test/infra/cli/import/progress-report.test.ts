import { expect, test } from "vitest";
import { createProgressReport } from "../../../../infra/cli/import/progress-report.ts";
import { emptySummary } from "../../../../infra/cli/import/summary.ts";

function report(isTTY: boolean) {
  const written: string[] = [];
  let time = 1_000_000;
  const output = { isTTY, columns: 120, write: (text: string) => written.push(text) };
  return { written, pass: (ms: number) => (time += ms), ...createProgressReport(output, () => time) };
}

const half = { ...emptySummary(2e6), read: 1e6, imported: 1200, existing: 34, messages: 5000, seconds: 10, bad: 1 };
const STATE = "50 % · 1.0 of 2.0 MB · 1,234 sessions · 5,000 messages · 123/s · 1 bad or failed";

test("a terminal shows a progress bar, and lines stay above it", () => {
  const { written, update, line, end, pass } = report(true);
  update(half);
  update(half);
  line("skipped: x");
  pass(100);
  update(half);
  end();
  const bar = `\r\u001b[K${"█".repeat(8)}${"░".repeat(8)} ${STATE}`.slice(0, 119 + 4);
  expect(written).toEqual([bar, "\r\u001b[K", "skipped: x\n", bar, bar, "\r\u001b[K"]);
});

test("an output that is not a terminal gets a line every few seconds", () => {
  const { written, update, end, pass } = report(false);
  update(half);
  pass(5000);
  update(half);
  update(half);
  end();
  expect(written).toEqual([`${STATE}\n`]);
});

test("the progress of an empty input is 100 %", () => {
  const { written, update, pass } = report(false);
  pass(5000);
  update(emptySummary(0));
  expect(written[0]).toMatch(/^100 %/);
});
