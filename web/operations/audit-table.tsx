import type { AnswerOf } from "../api.ts";
import { formatDateTime } from "../format.ts";
import { operationTexts } from "./operation-texts.ts";

type AuditRecord = AnswerOf<"GET /v1/audit">["data"][number];

/** Audit records, the newest first. People stand in them as hashes. */
export function AuditTable({ records }: { records: readonly AuditRecord[] }) {
  const { audit: words } = operationTexts;
  if (records.length === 0) return <p class="empty">{words.empty}</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reached by keyboard
    <section class="scrolls" tabIndex={0} aria-label={words.title}>
      <table class="audit">
        <thead>
          <tr>
            {words.columns.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {records.map(({ id, at, action, subject, actor, request_id }) => (
            <tr key={id}>
              <th scope="row" title={operationTexts.utcTime(Date.parse(at))}>
                <time dateTime={at}>{formatDateTime(at)}</time>
              </th>
              <td>{words.actions[action]}</td>
              <td>{subject === null ? operationTexts.none : <code>{subject}</code>}</td>
              <td>
                <code>{actor}</code>
              </td>
              <td>
                <code>{request_id}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
