/**
 * Formats a number with its noun for people.
 *
 * @param plural @default the singular with an s
 * @example counted(1, "session") // "1 session"
 * @example counted(1200, "memory", "memories") // "1,200 memories"
 */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? singular : plural}`;
}
