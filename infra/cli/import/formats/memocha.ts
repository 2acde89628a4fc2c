import { BadRecord, type Conversation } from "../conversation.ts";
import type { Format, JsonObject, Source } from "./format.ts";
import { readPlainRecord } from "./plain.ts";

/** Memocha's own export: the line of a session, then the lines of its messages. See `shared/exports/export-format.ts`. */
export const memocha: Format = {
  name: "Memocha's export",
  recognises: ({ type }) => type === "session" || type === "message",
  read: readSession,
  continues: (_records, { type }) => type === "message",
  needsAll: true,
  // More memory than for other formats, because every session that was exported must be importable.
  maxBytes: 512 * 1024 * 1024,
};

function readSession([session = {}, ...lines]: readonly JsonObject[], source: Source): Conversation {
  if (session.type !== "session") throw new BadRecord("the line of the session is missing before its messages");
  const { id, created_at, ttl_seconds } = session;
  const messages = lines.map((line) => ({ ...line, parent_id: line.parent_id ?? null }));
  const read = readPlainRecord({ ...session, session: id, started_at: created_at, messages }, source);
  return {
    ...read,
    ...(typeof ttl_seconds === "number" && { ttlSeconds: ttl_seconds }),
    keepsIds: true,
  };
}
