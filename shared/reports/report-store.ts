import type { Report } from "./report.ts";

/** Reports that are kept: one a month, as data and as a page. */
export interface ReportStore {
  /** Replaces what was there. */
  put(report: Report, html: string): Promise<void>;
  find(month: string): Promise<Report | null>;
}
