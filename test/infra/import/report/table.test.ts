import { expect, test } from "vitest";
import { formatSummary } from "../../../../infra/import/report/table.ts";
import { emptySummary } from "../../../../infra/import/summary.ts";

test("a summary tells what was done, how fast, and what is left to do", () => {
  const summary = {
    ...emptySummary(1),
    imported: 1200,
    existing: 30,
    resumed: 1,
    bad: 2,
    failed: 3,
    messages: 9000,
    changes: { moved: 4, mended: 5 },
    seconds: 2,
    stopped: "20 conversations in a row could not be stored",
  };
  expect(formatSummary(summary)).toBe(
    [
      "imported             1,200",
      "already there           30",
      "resumed                  1  begun by an earlier run, completed now",
      "skipped bad records      2",
      "failed                   3",
      "messages stored      9,000",
      "times moved              4  messages older than the one before them",
      "texts mended             5  titles cut, broken characters replaced",
      "1,231 sessions in 2.0 s: 616 sessions/s",
      "",
      "Ended early: 20 conversations in a row could not be stored.",
      "Run the same command again to go on: what is stored is not stored twice.",
    ].join("\n"),
  );
});

test("a summary of a complete import has no advice", () => {
  expect(formatSummary({ ...emptySummary(1), imported: 1, seconds: 1 })).toMatch(/sessions\/s$/);
});
