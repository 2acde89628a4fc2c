import { redact, redactJson } from "../redaction/redact.ts";

/** The values of content columns: the full text, the text without personal data and secrets, or nothing. */
export const lakeContents = ["full", "redacted", "none"] as const;

export type LakeContent = (typeof lakeContents)[number];

/** Returns the value of a content column; `null` = there is no text, or it is left out. */
export function showText(text: string | undefined, content: LakeContent): string | null {
  if (text === undefined || content === "none") return null;
  return content === "full" ? text : redact(text);
}

/** Returns the value of a content column as JSON; `null` = there is no value, or it is left out. */
export function showJson(value: unknown, content: LakeContent): string | null {
  if (value === undefined || content === "none") return null;
  return JSON.stringify(content === "full" ? value : redactJson(value));
}
