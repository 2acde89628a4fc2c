import { redact, redactJson } from "../redaction/redact.ts";

/** The content columns have the full text, the text without personal data and secrets, or nothing. */
export const lakeContents = ["full", "redacted", "none"] as const;

export type LakeContent = (typeof lakeContents)[number];

/** The value of a column of content. `null` = absent, or left out. */
export function showText(text: string | undefined, content: LakeContent): string | null {
  if (text === undefined || content === "none") return null;
  return content === "full" ? text : redact(text);
}

/** The value, as JSON, of a column of content. */
export function showJson(value: unknown, content: LakeContent): string | null {
  if (value === undefined || content === "none") return null;
  return JSON.stringify(content === "full" ? value : redactJson(value));
}
