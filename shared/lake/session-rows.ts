import type { MessageLine, SessionLine } from "../archive/archived-lines.ts";
import { type LakeContent, showJson, showText } from "./lake-content.ts";
import type { Row } from "./tables.ts";

interface SessionFacts {
  userHash: string;
  /** Epoch milliseconds. */
  archivedAt: number;
  content: LakeContent;
}

/** Makes the rows of one session, line by line. `summary` is complete when `message` was called for all lines. */
export function createSessionRows(line: SessionLine, { userHash, archivedAt, content }: SessionFacts) {
  const whose = { user_hash: userHash, session_key: line.session_key, session_id: line.id };
  const summary: Row<"session_summaries"> & { message_count: number; content_chars: number } = {
    ...whose,
    generation: line.generation,
    created_at: Date.parse(line.created_at),
    first_message_at: null,
    last_message_at: null,
    archived_at: archivedAt,
    duration_seconds: null,
    message_count: 0,
    user_messages: 0,
    assistant_messages: 0,
    content_chars: 0,
    input_tokens: null,
    output_tokens: null,
    cost_usd: null,
    pinned: line.pinned,
    ttl_seconds: line.ttl_seconds,
  };

  let previous: string | null = null;

  return {
    summary,
    message(message: MessageLine): Row<"messages"> {
      const created = Date.parse(message.created_at);
      const row: Row<"messages"> = {
        ...whose,
        message_id: message.id,
        parent_id: message.parent_id === undefined ? previous : message.parent_id,
        is_current: message.is_current ?? true,
        position: summary.message_count,
        role: message.role,
        name: showText(message.name, content),
        content: showText(message.content, content),
        parts: showJson(message.parts, content),
        content_chars: codePoints(message.content),
        created_at: created,
        model: message.model ?? null,
        input_tokens: message.usage?.input_tokens ?? null,
        cached_input_tokens: message.usage?.cached_input_tokens ?? null,
        output_tokens: message.usage?.output_tokens ?? null,
        cost_usd: message.usage?.cost_usd ?? null,
        status: message.status ?? null,
        latency_ms: message.latency_ms ?? null,
        metadata: showJson(message.metadata, content),
      };
      previous = message.id;
      summary.message_count++;
      if (message.role === "user") summary.user_messages = (summary.user_messages ?? 0) + 1;
      if (message.role === "assistant") summary.assistant_messages = (summary.assistant_messages ?? 0) + 1;
      summary.content_chars += row.content_chars ?? 0;
      summary.first_message_at ??= created;
      summary.last_message_at = created;
      summary.duration_seconds = (created - summary.first_message_at) / 1000;
      summary.input_tokens = sum(summary.input_tokens, row.input_tokens);
      summary.output_tokens = sum(summary.output_tokens, row.output_tokens);
      summary.cost_usd = sum(summary.cost_usd, row.cost_usd);
      return row;
    },
  };
}

const sum = (total: number | null, value: number | null): number | null =>
  value === null ? total : (total ?? 0) + value;

function codePoints(text: string): number {
  let count = text.length;
  for (let n = 0; n < text.length; n++) if ((text.charCodeAt(n) & 0xfc00) === 0xd800) count--;
  return count;
}
