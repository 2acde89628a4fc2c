interface Range {
  from?: string | undefined;
  to?: string | undefined;
}

/** Most parallel searches of one recall. */
const MAX_PERIODS = 6;

/**
 * Returns the months or years (UTC) that a range touches, one search each, because an index filters by equality only. If there are
 * too many, it returns one search over all times (`undefined`), whose results are filtered later.
 */
export function periodsOf({ from, to }: Range, now: number): (string | undefined)[] {
  if (from === undefined) return [undefined];
  if (to === undefined) {
    // A search over all times finds memories with a date in the future.
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

/** Months (`months` 1) or years (12) since year 0. */
const countOf = (instant: string, months: number): number =>
  Math.floor((Number(instant.slice(0, 4)) * 12 + Number(instant.slice(5, 7)) - 1) / months);

function spanned(from: string, more: number, months: number): string[] {
  const first = countOf(from, months);
  return Array.from({ length: more + 1 }, (_, n) => {
    const year = String(Math.floor(((first + n) * months) / 12)).padStart(4, "0");
    return months === 12 ? year : `${year}-${String(((first + n) % 12) + 1).padStart(2, "0")}`;
  });
}
