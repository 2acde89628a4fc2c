import * as z from "zod";
import { auditActions } from "../../audit/audit-record.ts";
import type { Operation } from "./operation.ts";
import { page, pageQuery, rangeQuery } from "./parameters.ts";

const auditRecordSchema = z
  .object({
    id: z.uuid(),
    at: z.iso.datetime(),
    actor: z.string().meta({ description: "A keyed hash of the `sub` of the token that was used." }),
    action: z.enum(auditActions),
    subject: z.string().nullable().meta({
      description:
        "A keyed hash of the user whose data the action is about, or `user_id` of the query. `null` = it is about no single user.",
    }),
    request_id: z.string().meta({ description: "The `x-request-id` of the answer." }),
  })
  .meta({ id: "AuditRecord" });

export const auditOperations = {
  listAudit: {
    method: "GET",
    path: "/v1/audit",
    access: "admin",
    audited: "audit.read",
    summary:
      "List audit records, the newest first: who did what to whose data. Records are kept for 400 days by default",
    query: z.object({
      ...pageQuery,
      ...rangeQuery,
      action: z.enum(auditActions).optional(),
      user_id: z.string().min(1).max(255).optional().meta({ description: "Only records about the data of this user." }),
    }),
    answers: { 200: page(auditRecordSchema) },
  },
} as const satisfies Record<string, Operation>;
