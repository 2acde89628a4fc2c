import type { LakeContent } from "../../shared/lake/lake-content.ts";
import { tables } from "../../shared/lake/tables.ts";

/** Columns of the table `archive_lines`: fields of the archive's lines, with their types for Athena. Users are left out. */
export const archiveLines: readonly { name: string; type: string; comment: string }[] = [
  { name: "type", type: "string", comment: "session (the first line of an object) or message" },
  { name: "session_key", type: "string", comment: "as in messages" },
  { name: "generation", type: "int", comment: "as in session_summaries" },
  { name: "session_id", type: "string", comment: "the session's id in the API; messages only" },
  { name: "id", type: "string", comment: "the id of the message or of the session" },
  { name: "parent_id", type: "string", comment: "as in messages; null in lines of earlier versions" },
  { name: "is_current", type: "boolean", comment: "as in messages; null in lines of earlier versions" },
  { name: "role", type: "string", comment: "as in messages" },
  { name: "name", type: "string", comment: "as in messages" },
  { name: "content", type: "string", comment: "as in messages" },
  { name: "parts", type: "string", comment: "as in messages" },
  { name: "created_at", type: "string", comment: "ISO 8601, UTC" },
  { name: "metadata", type: "string", comment: "as in messages" },
  { name: "model", type: "string", comment: "as in messages" },
  {
    name: "usage",
    type: "struct<input_tokens:int,cached_input_tokens:int,output_tokens:int,cost_usd:double>",
    comment: "as in messages",
  },
  { name: "status", type: "string", comment: "as in messages" },
  { name: "latency_ms", type: "int", comment: "as in messages" },
];

/**
 * The view `messages_all`, in SQL for both Athena and DuckDB: the rows of `messages`, and the messages of the archive that the lake does not
 * have yet. It skips sessions whose generation the lake has, and messages that the lake has from an earlier generation. Users and positions
 * are null until the lake is built. So is the content, unless the lake has the full content, because SQL cannot redact.
 */
export function messagesAll(content: LakeContent): string {
  const names = [...tables.messages.columns.map(({ name }) => name), "dt"];
  const raw: Record<string, string> = {
    user_hash: "cast(null as varchar)",
    message_id: "r.id",
    is_current: "coalesce(r.is_current, true)",
    position: "cast(null as integer)",
    content_chars: "cast(length(r.content) as integer)",
    created_at: "cast(replace(replace(r.created_at, 'T', ' '), 'Z', '') as timestamp)",
    input_tokens: "r.usage.input_tokens",
    cached_input_tokens: "r.usage.cached_input_tokens",
    output_tokens: "r.usage.output_tokens",
    cost_usd: "r.usage.cost_usd",
  };
  const hidden = tables.messages.columns.flatMap((column) =>
    "content" in column && content !== "full" ? [column.name] : [],
  );
  for (const name of hidden) raw[name] = "cast(null as varchar)";
  return `select ${names.join(", ")}
from messages
union all
select ${names.map((name) => `${raw[name] ?? `r.${name}`} as ${name}`).join(",\n  ")}
from archive_lines r
left join session_summaries s on s.dt = r.dt and s.session_key = r.session_key and s.generation = r.generation
left join messages m on m.dt = r.dt and m.session_key = r.session_key and m.message_id = r.id
where r.type = 'message' and s.session_key is null and m.message_id is null`;
}
