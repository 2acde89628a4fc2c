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
    summary: "Read the business report of a month, such as 2026-10",
    params: z.object({ month: z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/) }),
    answers: { 200: reportSchema },
  },
} as const satisfies Record<string, Operation>;
