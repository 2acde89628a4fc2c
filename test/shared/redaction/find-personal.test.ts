import { describe, expect, it } from "vitest";
import { findPersonal } from "../../../shared/redaction/find-personal.ts";
import type { PersonalKind, Span } from "../../../shared/redaction/rules.ts";
import { badTexts } from "./bad-texts.ts";
import { readLabelledLines } from "./labelled-lines.ts";

/** The least precision and recall. Numbers with check digits can be told from others, so more is asked of them. */
const BARS: Record<PersonalKind, number> = {
  email: 0.9,
  phone: 0.9,
  card: 0.95,
  iban: 0.95,
  ip: 0.9,
  national_id: 0.95,
  secret: 0.9,
};

const kinds = Object.keys(BARS) as PersonalKind[];
const lines = readLabelledLines();

describe("the search for personal data", () => {
  it("has a labelled set of at least 500 lines, of which many hold nothing personal", () => {
    expect(new Set(lines.map(({ text }) => text)).size).toBeGreaterThan(800);
    expect(lines.filter(({ spans }) => spans.length === 0).length).toBeGreaterThan(200);
    for (const kind of kinds) expect([kind, labelled(kind)]).toEqual([kind, expect.toSatisfy((n: number) => n >= 50)]);
  });

  it("finds the labelled parts exactly, and few others", () => {
    const rows = kinds.map((kind) => ({ kind, ...compare(kind) }));
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`.padStart(9);
    const table = rows.map(
      ({ kind, count, precision, recall }) =>
        `${kind.padEnd(12)}${String(count).padStart(5)}${percent(precision)}${percent(recall)}\n`,
    );
    process.stdout.write(`\nkind        lines precision   recall\n${table.join("")}`);
    for (const { kind, precision, recall } of rows) {
      expect([kind, Math.min(precision, recall)]).toEqual([kind, expect.toSatisfy((n: number) => n >= BARS[kind])]);
    }
  });

  it.each(badTexts(300 * 1024))("takes time in proportion to the length of a text of 300 KB: %s", (_name, text) => {
    const short = text.slice(0, 30 * 1024);
    findPersonal(short);
    // A quadratic pattern takes a hundred times as long for ten times the text. The floor keeps noise from counting.
    expect(cpuTime(text)).toBeLessThan(50 * Math.max(cpuTime(short), 5_000));
  });

  it.each([
    ["text is empty", ""],
    ["text ends within a number", "call +1 415 555"],
    ["text ends within an IBAN", "DE89 3704 0044 0532"],
    ["text has a lone surrogate", "\ud83d tel. 0171 1234567 \ude00"],
  ])("fails for no text: %s", (_name, text) => {
    expect(Array.isArray(findPersonal(text))).toBe(true);
  });

  it("returns parts in order, without overlaps", () => {
    for (const { text } of [...lines, ...badTexts(2_000).map(([, bad]) => ({ text: bad }))]) {
      let last = 0;
      for (const { start, end } of findPersonal(text)) {
        expect(start).toBeGreaterThanOrEqual(last);
        expect(end).toBeGreaterThan(start);
        last = end;
      }
      expect(last).toBeLessThanOrEqual(text.length);
    }
  });
});

function labelled(kind: PersonalKind): number {
  return lines.reduce((sum, { spans }) => sum + spans.filter((span) => span.kind === kind).length, 0);
}

/** A part counts as found when both its ends are right. */
function compare(kind: PersonalKind): { count: number; precision: number; recall: number } {
  let [right, found] = [0, 0];
  for (const { text, spans } of lines) {
    const expected = new Set(spans.filter((span) => span.kind === kind).map(placeOf));
    const got = findPersonal(text).filter((span) => span.kind === kind);
    found += got.length;
    right += got.filter((span) => expected.has(placeOf(span))).length;
  }
  return { count: labelled(kind), precision: right / found, recall: right / labelled(kind) };
}

const placeOf = ({ start, end }: Span): string => `${start}-${end}`;

/** Microseconds of this thread, which other processes do not change; the least of three runs. */
function cpuTime(text: string): number {
  const runs = [1, 2, 3].map(() => {
    const before = process.threadCpuUsage();
    findPersonal(text);
    const { user, system } = process.threadCpuUsage(before);
    return user + system;
  });
  return Math.min(...runs);
}
