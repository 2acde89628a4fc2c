import * as z from "zod";
import { auditActions } from "../../audit/audit-record.ts";
import type { Operation } from "./operation.ts";
import { page, pageQuery, rangeQuery } from "./parameters.ts";

const auditRecordSchema = z
  .object({
    id: z.uuid(),
    at: z.iso.datetime(),
    actor: z.string().meta({ description: "Who did it: a keyed hash of the `sub` of the token." }),
    action: z.enum(auditActions),
    subject: z.string().nullable().meta({
      description: "Whose data it is about: a keyed hash, or `user_id` of the query. `null` = no single user's.",
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
      "List who did what to whose data, the newest first. Records live for 400 days, or as long as the deployment says",
    query: z.object({
      ...pageQuery,
      ...rangeQuery,
      action: z.enum(auditActions).optional(),
      user_id: z.string().min(1).max(255).optional().meta({ description: "Only records about the data of this user." }),
    }),
    answers: { 200: page(auditRecordSchema) },
  },
} as const satisfies Record<string, Operation>;
