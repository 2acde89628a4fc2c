import * as z from "zod";
import { reportSchema } from "../../reports/report.ts";
import type { Operation } from "./operation.ts";

/** Monthly reports for admins. */
export const reportOperations = {
  getReport: {
    method: "GET",
    path: "/v1/reports/{month}",
    access: "admin",
    audited: "report.read",
    summary: "The business report of a month, as in 2026-10",
    params: z.object({ month: z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/) }),
    answers: { 200: reportSchema },
  },
} as const satisfies Record<string, Operation>;
