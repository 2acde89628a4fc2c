import { counted } from "../../../shared/counted.ts";
import { alignColumns } from "../align-columns.ts";
import type { Changes } from "./plan-session.ts";
import type { MemochaExport } from "./read/memocha-export.ts";

/** Maximum number of problems that a summary lists. The import counts and reports all of them. */
export const MAX_LISTED = 1000;

/** A record that was not imported, and why. */
export interface Problem {
  kind: "bad" | "failed";
  file: string;
  /** The line or the number of the conversation in the file. */
  place: string;
  /** The conversation's id, if it could be read. */
  id?: string;
  reason: string;
}

/** The result of an import. The first six fields count conversations. */
export interface Summary {
  imported: number;
  /** Complete in the store before this run, and not changed. */
  existing: number;
  /** Begun by an earlier run, and completed by this one. */
  resumed: number;
  /** Skipped, because the record is wrong. */
  bad: number;
  /** Not stored completely, because of the server or the network. */
  failed: number;
  /** Not finished when the run was stopped. */
  interrupted: number;
  /** Messages and files stored by this run. */
  messages: number;
  files: number;
  /** Number of branches, without the first one of each conversation. */
  branches: number;
  /** The number of things that the import leaves out, by their description. */
  left: Record<string, number>;
  /** Sentences about the data in Memocha's export that is not imported as it is. */
  notes: string[];
  changes: Changes;
  /** Bytes of input read. */
  read: number;
  /** Bytes of all input files. */
  total: number;
  seconds: number;
  /** Why the run ended before the end of the input; `null` when it did not. */
  stopped: string | null;
  problems: Problem[];
}

export function emptySummary(total: number): Summary {
  return {
    imported: 0,
    existing: 0,
    resumed: 0,
    bad: 0,
    failed: 0,
    interrupted: 0,
    messages: 0,
    files: 0,
    branches: 0,
    left: {},
    notes: [],
    changes: { moved: 0, renamed: 0, mended: 0, detached: 0 },
    read: 0,
    total,
    seconds: 0,
    stopped: null,
    problems: [],
  };
}

/** Conversations that are in the store now. */
export function countSessions({ imported, existing, resumed }: Summary): number {
  return imported + existing + resumed;
}

/** Whether every conversation of the input is in the store now. */
export function isComplete({ bad, failed, stopped }: Summary): boolean {
  return bad === 0 && failed === 0 && stopped === null;
}

/** Adds to the summary how the import treats usage, memories, events and unused files of Memocha's export. */
export function noteOtherData(summary: Summary, { counts, memory, unused }: MemochaExport): void {
  if (unused > 0) summary.left["files that no message names"] = unused;
  if (counts.events > 0) summary.left["events, because the statistics count each event once"] = counts.events;
  summary.notes.push(
    "Usage is not imported, because limits count only what this server has done.",
    memory
      ? "The server makes new memories from the messages, also of messages whose memories the user had deleted."
      : "Memory is off in this export, so the import switches it off: the server makes no memories.",
  );
}

/** Formats the summary as a table for people. If the import is not complete, the last line says what to do next. */
export function formatSummary(summary: Summary, dryRun = false): string {
  const { changes, seconds, stopped, branches, files } = summary;
  const sessions = countSessions(summary);
  const rows: [string, number, string?][] = [
    [dryRun ? "sessions to import" : "imported", summary.imported],
    ...(dryRun
      ? []
      : ([
          ["already there", summary.existing],
          ["resumed", summary.resumed, "begun by an earlier run, completed by this one"],
        ] as [string, number, string?][])),
    ["skipped bad records", summary.bad],
    ...(dryRun ? [] : ([["failed", summary.failed]] as [string, number][])),
  ];
  if (summary.interrupted > 0) rows.push(["interrupted", summary.interrupted]);
  rows.push([dryRun ? "messages" : "messages stored", summary.messages]);
  if (branches > 0)
    rows.push(["branches", branches, "edits and regenerated answers, not counting the first branch of each session"]);
  if (files > 0) rows.push([dryRun ? "files" : "files stored", files]);
  if (changes.moved > 0) rows.push(["times moved", changes.moved, "messages older than the one before them"]);
  if (changes.renamed > 0) {
    rows.push([
      "ids replaced",
      changes.renamed,
      "ids that the API does not accept; metadata.source_id has the original",
    ]);
  }
  if (changes.mended > 0) rows.push(["texts mended", changes.mended, "titles and ids cut, broken characters replaced"]);
  if (changes.detached > 0)
    rows.push(["parents missing", changes.detached, "messages that now begin their conversation"]);
  for (const [what, count] of Object.entries(summary.left)) rows.push(["left out", count, what]);
  const table = alignColumns(
    rows.map(([name, value, note]) => [name, formatCount(value), note && value > 0 ? note : ""]),
    [1],
  );
  const rate = formatCount(Math.round(sessions / Math.max(seconds, 0.001)));
  return [
    ...table,
    dryRun
      ? "Nothing was sent. Run the same command without --dry-run to import."
      : `${counted(sessions, "session")} in ${seconds.toFixed(1)} s: ${rate} sessions/s`,
    ...summary.notes,
    ...(stopped === null ? [] : ["", `Ended early: ${stopped}.`]),
    ...(isComplete(summary) || dryRun ? [] : [advise(summary)]),
  ].join("\n");
}

function advise(summary: Summary): string {
  const { bad, failed, stopped } = summary;
  if (stopped !== null || failed > 0) {
    return "Run the same command again to continue: it stores nothing twice.";
  }
  const rest = countSessions(summary) > 0 ? "the rest is imported" : "nothing is imported";
  return `${counted(bad, "record")} ${bad === 1 ? "was" : "were"} skipped; ${rest}.`;
}

function formatCount(value: number): string {
  return value.toLocaleString("en");
}
