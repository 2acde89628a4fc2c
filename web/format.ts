// Numbers and times as people read them, in the reader's zone.

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dateAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const month = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric" });

export const formatTime = (instant: string): string => time.format(new Date(instant));
export const formatDateTime = (instant: string): string => dateAndTime.format(new Date(instant));
export const formatMonth = (instant: string): string => month.format(new Date(instant));

export const formatNumber = (value: number): string =>
  value.toLocaleString("en", { maximumFractionDigits: value !== 0 && Math.abs(value) < 10 ? 2 : 0 });

/** Milliseconds as `340 ms` or `3.4 s`. */
export const formatDuration = (milliseconds: number): string =>
  milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${formatNumber(Math.round(milliseconds / 100) / 10)} s`;

/** Dollars with two digits, or two that count when it is less than a cent. */
export const formatCost = (dollars: number): string =>
  dollars === 0 || dollars >= 1
    ? `$${dollars.toFixed(2)}`
    : `$${dollars.toLocaleString("en", { maximumSignificantDigits: 2, maximumFractionDigits: 9 })}`;

export const formatPercent = (share: number): string => `${formatNumber(Math.round(share * 1000) / 10)} %`;

export function formatBytes(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${formatNumber(bytes / 1000 ** power)} ${units[power]}`;
}

/** Midnight of a day in the reader's zone, in epoch milliseconds; `days` before today. */
export function midnight(days = 0): number {
  const day = new Date();
  day.setHours(0, 0, 0, 0);
  day.setDate(day.getDate() - days);
  return day.getTime();
}
