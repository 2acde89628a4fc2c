import { counted } from "../../../shared/counted.ts";
import { countSessions, type Summary } from "./summary.ts";

/** Where the progress is written. A terminal gets one line that is redrawn; any other output gets a new line each time. */
export interface Output {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

interface ProgressReport {
  update(summary: Readonly<Summary>): void;
  /** Writes a line that stays, above the bar. */
  line(text: string): void;
  /** Removes the bar. */
  end(): void;
}

/** Milliseconds between two redraws of the bar, and between two lines. */
const BAR_EVERY = 100;
const LINE_EVERY = 5000;

const BAR_WIDTH = 16;
const CLEAR = "\r\u001b[K";

export function createProgressReport(output: Output, now: () => number = Date.now): ProgressReport {
  const isTerminal = output.isTTY === true;
  // A short import needs no line, so the first one comes after LINE_EVERY.
  let last = isTerminal ? 0 : now();
  let drawn = "";
  const draw = (text: string): void => {
    if (isTerminal && (text !== "" || drawn !== "")) output.write(`${CLEAR}${text}`);
    drawn = text;
  };
  return {
    update(summary) {
      if (now() - last < (isTerminal ? BAR_EVERY : LINE_EVERY)) return;
      last = now();
      if (isTerminal) draw(`${bar(summary)} ${describe(summary)}`.slice(0, (output.columns ?? 80) - 1));
      else output.write(`${describe(summary)}\n`);
    },
    line(text) {
      const below = drawn;
      draw("");
      output.write(`${text}\n`);
      draw(below);
    },
    end: () => draw(""),
  };
}

function bar(summary: Readonly<Summary>): string {
  const full = Math.round(shareOf(summary) * BAR_WIDTH);
  return `${"█".repeat(full)}${"░".repeat(BAR_WIDTH - full)}`;
}

function describe(summary: Readonly<Summary>): string {
  const sessions = countSessions(summary);
  const wrong = summary.bad + summary.failed;
  return [
    `${Math.floor(shareOf(summary) * 100)} %`,
    `${megabytes(summary.read)} of ${megabytes(summary.total)} MB`,
    counted(sessions, "session"),
    counted(summary.messages, "message"),
    `${count(Math.round(sessions / Math.max(summary.seconds, 0.001)))}/s`,
    ...(wrong > 0 ? [`${count(wrong)} bad or failed`] : []),
  ].join(" · ");
}

const shareOf = ({ read, total }: Readonly<Summary>): number => (total === 0 ? 1 : Math.min(1, read / total));
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
const count = (value: number): string => value.toLocaleString("en");
