import { readFileSync } from "node:fs";
import path from "node:path";
import type { PersonalKind, Span } from "../../../shared/redaction/rules.ts";

interface LabelledLine {
  text: string;
  /** What a redaction must find in the text. */
  spans: Span[];
}

/**
 * Reads `labelled-lines.txt`. A label is `‹kind:value›`. `\n` is a line break, and `\\n` is the two characters that JSON has for one. `¦` stands
 * inside of secrets, so that scanners of repositories do not take them for real ones.
 */
export function readLabelledLines(): LabelledLine[] {
  const lines = readFileSync(path.join(import.meta.dirname, "labelled-lines.txt"), "utf8").split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("# ")).map(parseLine);
}

function parseLine(line: string): LabelledLine {
  const spans: Span[] = [];
  let text = "";
  let last = 0;
  const source = line.replaceAll("¦", "").replace(/(\\+)n/g, (_, slashes) => (slashes === "\\" ? "\n" : "\\n"));
  for (const { 0: label, 1: kind, 2: value = "", index } of source.matchAll(/‹(\w+):([^›]*)›/g)) {
    text += source.slice(last, index);
    spans.push({ kind: kind as PersonalKind, start: text.length, end: text.length + value.length });
    text += value;
    last = index + label.length;
  }
  return { text: text + source.slice(last), spans };
}
