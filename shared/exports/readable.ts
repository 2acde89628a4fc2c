import type { MessagePart } from "../session/parts.ts";
import type { Message, Session } from "../session/schema.ts";
import { contentPath } from "./export-format.ts";

/** The beginning of an HTML page of sessions. The page has no scripts and loads nothing from outside of the export. */
export const PAGE_START = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src 'self' file:">
<title>Conversations</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h2 { margin-top: 3rem; border-bottom: 1px solid #ccc } article { margin: 1rem 0; padding: .5rem 1rem; border-radius: .5rem; background: #f4f4f5 }
article.user { background: #e8f0fe } article.other { opacity: .6 } header, small { color: #666; font-size: .85rem } pre { white-space: pre-wrap; font: inherit; margin: .25rem 0 }
</style></head><body>
`;
export const PAGE_END = "</body></html>\n";

export function sessionHeading({
  id,
  title,
  created_at,
  incognito,
}: Pick<Session, "id" | "title" | "created_at" | "incognito">): string {
  const about = [day(created_at), id, ...(incognito ? ["incognito"] : [])].map(escapeHtml).join(" · ");
  return `<h2 id="${escapeHtml(id)}">${escapeHtml(title ?? "Untitled")}</h2>\n<small>${about}</small>\n`;
}

/** @param isCurrent whether the message is on the current branch */
export function messageSection(message: Message, isCurrent: boolean): string {
  const { role, name, created_at, parts, content, status } = message;
  const marks = [isCurrent ? "" : "another version", status && status !== "complete" ? status : ""].filter(Boolean);
  const head = [name ?? role, `${day(created_at)} ${created_at.slice(11, 16)} UTC`, ...marks]
    .map(escapeHtml)
    .join(" · ");
  const body = (parts ?? [{ type: "text" as const, text: content }]).map(partHtml).join("");
  return `<article class="${role}${isCurrent ? "" : " other"}"><header>${head}</header>${body}</article>\n`;
}

function partHtml(part: MessagePart): string {
  switch (part.type) {
    case "text":
      return pre(part.text);
    case "reasoning":
      return `<details><summary>Reasoning</summary>${pre(part.text)}</details>`;
    case "file": {
      const path = contentPath({ id: part.file_id, filename: part.filename ?? "" });
      return `<p>File: <a href="${escapeHtml(path)}">${escapeHtml(part.filename ?? part.file_id)}</a></p>`;
    }
    case "tool_call":
      return `<details><summary>Tool call: ${escapeHtml(part.name)}</summary>${pre(json(part.input))}</details>`;
    case "tool_result":
      return `<details><summary>Tool result</summary>${pre(json(part.output))}</details>`;
    case "source":
      // A URL of any scheme may be stored, so it is text and not a link.
      return `<p>Source: ${escapeHtml(part.title ?? "")} ${escapeHtml(part.url)}</p>`;
    case "data":
      return `<details><summary>${escapeHtml(part.name)}</summary>${pre(json(part.data))}</details>`;
  }
}

const pre = (text: string): string => `<pre>${escapeHtml(text)}</pre>`;
const json = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
const day = (instant: string): string => instant.slice(0, 10);

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
