/**
 * Formats a number with its noun for people.
 *
 * @example counted(1, "session") // "1 session"
 */
export function counted(count: number, singular: string): string {
  return `${count.toLocaleString("en")} ${count === 1 ? singular : `${singular}s`}`;
}
