export type Granularity = "hour" | "day" | "month";

/** The finer windows that a window consists of. An hour consists of raw metrics. */
export const finer = { month: "day", day: "hour" } as const;

/** Number of characters of an instant that are the name of its window: 2026-11-21T09, 2026-11-21, 2026-11. */
const LENGTH = { hour: 13, day: 10, month: 7 } as const;

/** The window of an instant (ISO 8601, or the name of a finer window). Names sort by time. */
export function windowOf(granularity: Granularity, instant: string): string {
  return instant.slice(0, LENGTH[granularity]);
}

/** Whether a text is the name of a window of this size. */
export function isWindow(granularity: Granularity, text: string): boolean {
  const start = Date.parse(startOf(text));
  return !Number.isNaN(start) && windowOf(granularity, new Date(start).toISOString()) === text;
}

/** The first instant of a window, ISO 8601. */
export function startOf(window: string): string {
  return `${window}${"0000-01-01T00:00:00.000Z".slice(window.length)}`;
}

/** The window `by` windows later, or earlier if negative. */
export function shift(granularity: Granularity, window: string, by: number): string {
  const date = new Date(startOf(window));
  if (granularity === "month") date.setUTCMonth(date.getUTCMonth() + by);
  else date.setTime(date.getTime() + by * (granularity === "hour" ? 3_600_000 : 86_400_000));
  return windowOf(granularity, date.toISOString());
}

/** The end of a window: the start of the next one, ISO 8601. */
export function endOf(granularity: Granularity, window: string): string {
  return startOf(shift(granularity, window, 1));
}

/** The windows from `first` to `last`, inclusive. */
export function windowsBetween(granularity: Granularity, first: string, last: string): string[] {
  const windows: string[] = [];
  for (let window = first; window <= last; window = shift(granularity, window, 1)) windows.push(window);
  return windows;
}
