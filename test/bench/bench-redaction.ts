import { findPersonal } from "../../shared/redaction/find-personal.ts";
import { badTexts } from "../shared/redaction/bad-texts.ts";
import { printTable } from "./support/print-table.ts";

/** Characters of a text. */
const LENGTH = 300 * 1024;

/** Milliseconds of CPU time within which a text is searched. */
const BAR = 50;

const RUNS = 5;

/** Searches texts that are bad for patterns, and prints the CPU time of each. Fails when one takes longer than the bar. */
export function run(): void {
  for (const [, text] of badTexts(20_000)) findPersonal(text);
  const rows = badTexts(LENGTH).map(([name, text]) => ({
    name,
    time: Math.min(...times(text)),
    found: findPersonal(text),
  }));
  rows.sort((a, b) => b.time - a.time);
  printTable(
    "CPU time to search a text of 300 KB",
    ["text", "ms", "found"],
    rows.map(({ name, time, found }) => [name, time, found.length]),
  );
  if (rows.some(({ time }) => time >= BAR)) process.exitCode = 1;
}

function times(text: string): number[] {
  return Array.from({ length: RUNS }, () => {
    const before = process.cpuUsage();
    findPersonal(text);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
}
