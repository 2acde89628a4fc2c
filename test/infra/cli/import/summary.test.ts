import { expect, test } from "vitest";
import { emptySummary, formatSummary } from "../../../../infra/cli/import/summary.ts";

test("a summary shows the counts, the rate and the next step", () => {
  const summary = {
    ...emptySummary(1),
    imported: 1200,
    existing: 30,
    resumed: 1,
    bad: 2,
    failed: 3,
    messages: 9000,
    files: 7,
    branches: 8,
    left: { "hidden files": 9 },
    changes: { moved: 4, renamed: 6, mended: 5, detached: 2 },
    seconds: 2,
    stopped: "20 conversations in a row could not be stored",
  };
  expect(formatSummary(summary)).toBe(
    [
      "imported             1,200",
      "already there           30",
      "resumed                  1  begun by an earlier run, completed by this one",
      "skipped bad records      2",
      "failed                   3",
      "messages stored      9,000",
      "branches                 8  edits and regenerated answers, not counting the first branch of each session",
      "files stored             7",
      "times moved              4  messages older than the one before them",
      "ids replaced             6  ids that the API does not accept; metadata.source_id has the original",
      "texts mended             5  titles and ids cut, broken characters replaced",
      "parents missing          2  messages that now begin their conversation",
      "left out                 9  hidden files",
      "1,231 sessions in 2.0 s: 616 sessions/s",
      "",
      "Ended early: 20 conversations in a row could not be stored.",
      "Run the same command again to continue: it stores nothing twice.",
    ].join("\n"),
  );
});

test("a summary of a complete import has no advice", () => {
  expect(formatSummary({ ...emptySummary(1), imported: 1, seconds: 1 })).toMatch(/sessions\/s$/);
});

test.each([
  [{ imported: 2, bad: 1 }, "2 sessions in 1.0 s: 2 sessions/s\n1 record was skipped; the rest is imported."],
  [{ existing: 1, bad: 2 }, "1 session in 1.0 s: 1 sessions/s\n2 records were skipped; the rest is imported."],
  [{ bad: 1 }, "0 sessions in 1.0 s: 0 sessions/s\n1 record was skipped; nothing is imported."],
  [{ bad: 1200 }, "0 sessions in 1.0 s: 0 sessions/s\n1,200 records were skipped; nothing is imported."],
])("a summary of %j says whether the other records are imported", (counts, end) => {
  const lines = formatSummary({ ...emptySummary(1), seconds: 1, ...counts }).split("\n");
  expect(lines.slice(-2).join("\n")).toBe(end);
});
