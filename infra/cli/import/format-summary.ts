import { counted } from "../../../shared/counted.ts";
import { countSessions, isComplete, type Summary } from "./summary.ts";

/** The summary as a table for people, with what to do next when something is left to do. */
export function formatSummary(summary: Summary): string {
  const { changes, seconds, stopped } = summary;
  const sessions = countSessions(summary);
  const rows: [string, number, string?][] = [
    ["imported", summary.imported],
    ["already there", summary.existing],
    ["resumed", summary.resumed, "begun by an earlier run, completed now"],
    ["skipped bad records", summary.bad],
    ["failed", summary.failed],
  ];
  if (summary.interrupted > 0) rows.push(["interrupted", summary.interrupted]);
  rows.push(["messages stored", summary.messages]);
  if (changes.moved > 0) rows.push(["times moved", changes.moved, "messages older than the one before them"]);
  if (changes.renamed > 0) {
    rows.push(["ids replaced", changes.renamed, "ids that the API does not take; metadata.source_id has the old one"]);
  }
  if (changes.mended > 0) rows.push(["texts mended", changes.mended, "titles and ids cut, broken characters replaced"]);
  const widest = Math.max(...rows.map(([, value]) => count(value).length));
  const table = rows.map(([name, value, note]) =>
    `${name.padEnd(21)}${count(value).padStart(widest)}${note && value > 0 ? `  ${note}` : ""}`.trimEnd(),
  );
  const rate = count(Math.round(sessions / Math.max(seconds, 0.001)));
  return [
    ...table,
    `${counted(sessions, "session")} in ${seconds.toFixed(1)} s: ${rate} sessions/s`,
    ...(stopped === null ? [] : ["", `Ended early: ${stopped}.`]),
    ...(isComplete(summary) ? [] : [advise(summary)]),
  ].join("\n");
}

function advise(summary: Summary): string {
  const { bad, failed, stopped } = summary;
  if (stopped !== null || failed > 0) {
    return "Run the same command again to go on: what is stored is not stored twice.";
  }
  const rest = countSessions(summary) > 0 ? "the rest is imported" : "nothing is imported";
  return `${counted(bad, "record")} ${bad === 1 ? "was" : "were"} skipped; ${rest}.`;
}

const count = (value: number): string => value.toLocaleString("en");
