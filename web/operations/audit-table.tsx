import type { AnswerOf } from "../api.ts";
import { formatDateTime } from "../format.ts";
import { FactsTable } from "../ui/facts.tsx";
import { operationTexts } from "./operation-texts.ts";

type AuditRecord = AnswerOf<"GET /v1/audit">["data"][number];

/** Audit records, the newest first. They name people by hashes. */
export function AuditTable({ records }: { records: readonly AuditRecord[] }) {
  const { audit: words } = operationTexts;
  if (records.length === 0) return <p class="empty">{words.empty}</p>;
  const rows = records.map(({ at, action, subject, actor, request_id }) => [
    <time dateTime={at} title={operationTexts.utcTime(Date.parse(at))}>
      {formatDateTime(at)}
    </time>,
    words.actions[action],
    subject === null ? operationTexts.none : <code>{subject}</code>,
    <code>{actor}</code>,
    <code>{request_id}</code>,
  ]);
  return <FactsTable title={words.title} class="audit" columns={words.columns} rows={rows} />;
}
