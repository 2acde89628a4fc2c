import { ACCESS_LOGS, type Found, readMark } from "./find-marks.ts";
import { printTable } from "./print-table.ts";

/** Places where marks of all users come and go: changes of the table, and what the host has done. */
const PASSING = new Set(["stream records", "bytes of the databases", "logs", ACCESS_LOGS]);

/** Whether the marks of a field stay until an erasure. Those of a session that the user has deleted do not. */
const isKept = (field: string): boolean => !/deleted/.test(field);

/**
 * Prints how many marks were found before and after the erasure of the users in `gone`. Returns the number of marks that are left of them, and
 * of those that others have lost. Keys in access logs of S3 are no faults: receipts name them.
 */
export function reportMarks(before: Found, after: Found, gone: ReadonlySet<number>): number {
  const isGone = (mark: string) => gone.has(readMark(mark).user);
  const sum = (found: Found, place: string, ofGone: boolean) =>
    [...(found.get(place) ?? [])].reduce((total, [mark, count]) => total + (isGone(mark) === ofGone ? count : 0), 0);
  const places = [...new Set([...before.keys(), ...after.keys()])].sort();
  printTable(
    "Marks that were found",
    ["", "erased, before", "erased, after", "others, before", "others, after"],
    places.map((place) => [
      place,
      ...[true, false].flatMap((ofGone) => [before, after].map((found) => sum(found, place, ofGone))),
    ]),
  );

  const different = (found: Found, isSearched: (place: string) => boolean) => [
    ...new Set([...found].flatMap(([place, marks]) => (isSearched(place) ? [...marks.keys()] : []))),
  ];
  const was = different(before, (place) => !PASSING.has(place));
  const is = new Set(different(after, (place) => !PASSING.has(place)));
  const left = different(after, (place) => place !== ACCESS_LOGS).filter(isGone);
  const lost = was.filter((mark) => !is.has(mark) && !isGone(mark) && isKept(readMark(mark).field));
  const erased = was.filter(isGone);
  printTable(
    "Different marks: one per user and field",
    ["", ""],
    [
      ["fields with a mark that is stored", fieldsOf(was).length],
      ["of erased users, before", erased.length],
      ["of erased users, left", left.length],
      ["of others, before", was.length - erased.length],
      ["of others, lost", lost.length],
    ],
  );
  if (left.length > 0) process.stdout.write(`\nleft: ${fieldsOf(left).join(", ")}\n`);
  if (lost.length > 0) process.stdout.write(`\nlost: ${fieldsOf(lost).join(", ")}\n`);
  return left.length + lost.length + (erased.length === 0 ? 1 : 0);
}

const fieldsOf = (marks: readonly string[]): string[] => [...new Set(marks.map((mark) => readMark(mark).field))];
