interface Range {
  from?: string | undefined;
  to?: string | undefined;
}

/** Searches of one recall at most, side by side. */
const MAX_PERIODS = 6;

/**
 * The months or years (UTC) that a range touches, when they are few: an index filters by equality only. Else one search over all
 * times (`undefined`), whose results are filtered: a range of many years leaves enough of them.
 */
export function periodsOf({ from, to }: Range, now: number): (string | undefined)[] {
  if (from === undefined) return [undefined];
  if (to === undefined) {
    // What is dated later than now is left to a search over all times.
    const soon = new Date(Math.max(now, Date.parse(from)) + 1).toISOString();
    return [...new Set([...periodsOf({ from, to: soon }, now), undefined])];
  }
  // `to` is exclusive.
  const last = new Date(Date.parse(to) - 1).toISOString();
  const months = countOf(last, 1) - countOf(from, 1);
  if (months < MAX_PERIODS) return spanned(from, months, 1);
  const years = countOf(last, 12) - countOf(from, 12);
  return years < MAX_PERIODS ? spanned(from, years, 12) : [undefined];
}

/** Months or years since year 0. */
const countOf = (instant: string, months: number): number =>
  Math.floor((Number(instant.slice(0, 4)) * 12 + Number(instant.slice(5, 7)) - 1) / months);

function spanned(from: string, more: number, months: number): string[] {
  const first = countOf(from, months);
  return Array.from({ length: more + 1 }, (_, n) => {
    const year = String(Math.floor(((first + n) * months) / 12)).padStart(4, "0");
    return months === 12 ? year : `${year}-${String(((first + n) % 12) + 1).padStart(2, "0")}`;
  });
}
