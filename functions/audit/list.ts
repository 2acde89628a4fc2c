import type { AuditStore } from "../../shared/audit/audit-record.ts";
import { createAuditStore } from "../../shared/audit/audit-store.dynamodb.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { decodeCursor, encodeCursor } from "../../shared/http/cursor.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { auditOperations } from "../../shared/http/operations/audit-operations.ts";
import { checkRange } from "../../shared/http/range.ts";
import { lazyHandler, openAuditTable, openHttp, openPseudonyms } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  records: Pick<AuditStore, "list">;
  /** Opens the function that returns the hash of a user. */
  pseudonyms(): Promise<(user: string) => string>;
}

/** GET /v1/audit. If the request names a user, that id is the subject of the records. Otherwise the subject is a hash. */
export function createListAudit(deps: Dependencies) {
  return createHttpHandler(auditOperations.listAudit, deps, async ({ query: { cursor, user_id, ...query } }) => {
    checkRange(query);
    const scope = ["audit", query.from, query.to, query.action, user_id];
    const [after] = decodeCursor(scope, cursor, [/^[0-9a-f-]{36}$/]);
    const subject = user_id === undefined ? undefined : (await deps.pseudonyms())(user_id);
    const { records, more } = await deps.records.list({ ...query, subject, after, now: deps.clock() });
    const last = records.at(-1);
    return {
      status: 200,
      body: {
        data: records.map((record) => ({ ...record, ...(user_id !== undefined && { subject: user_id }) })),
        next_cursor: more && last ? encodeCursor(scope, [last.id]) : null,
      },
    };
  });
}

export const handler = lazyHandler((config) => {
  return createListAudit({
    ...openHttp(config),
    records: createAuditStore(openAuditTable(config)),
    pseudonyms: openPseudonyms(config),
  });
});
