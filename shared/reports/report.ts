import * as z from "zod";

const number = z.number();
const share = z.number().nullable().meta({ description: "0 to 1; null if the whole is 0." });

const figuresSchema = z.object({
  sessions: z.int().meta({ description: "Sessions created." }),
  active_users: z.int().meta({ description: "Distinct users with a request. Exact up to 2,048, then within 2 %." }),
  return_rate: share.meta({ description: "Share of the previous month's users who came back." }),
  messages: z.int().meta({ description: "Messages stored." }),
  median_session_seconds: z
    .number()
    .nullable()
    .meta({ description: "From creation to last activity, of sessions that have ended." }),
  feedback: z.int(),
  satisfaction: share.meta({ description: "Share of feedback with a value above 0." }),
  conversions: z.int(),
  conversion_value: number,
  engagements: z.int(),
  input_tokens: z.int(),
  output_tokens: z.int(),
  cost_usd: number.meta({ description: "Cost of LLM and embedding calls." }),
  return_on_cost: share.meta({ description: "Value of conversions per dollar of cost." }),
  requests: z.int(),
  error_rate: share.meta({ description: "Share of requests answered with a 5xx." }),
  latency_p50_ms: z.number().nullable(),
  latency_p95_ms: z.number().nullable(),
  latency_p99_ms: z.number().nullable(),
  llm_calls: z.int(),
  llm_error_rate: share,
  llm_p95_ms: z.number().nullable(),
  first_token_p95_ms: z.number().nullable(),
});

export type Figures = z.infer<typeof figuresSchema>;

export const reportSchema = z
  .object({
    month: z.string().meta({ example: "2026-10" }),
    created_at: z.iso.datetime(),
    complete: z.boolean().meta({ description: "False while the month runs." }),
    figures: figuresSchema,
    previous: figuresSchema.nullable().meta({ description: "Figures of the previous month; null without data." }),
    days: z.array(
      z.object({
        day: z.string(),
        requests: z.int(),
        errors: z.int(),
        active_users: z.int(),
        messages: z.int(),
        conversions: z.int(),
        conversion_value: number,
        cost_usd: number,
        latency_p95_ms: z.number().nullable(),
      }),
    ),
    routes: z.array(
      z.object({
        route: z.string(),
        requests: z.int(),
        errors: z.int(),
        p50_ms: number,
        p95_ms: number,
        p99_ms: number,
      }),
    ),
  })
  .meta({ id: "Report" });

export type Report = z.infer<typeof reportSchema>;

/** Stores one report per month, as JSON and as an HTML page. */
export interface ReportStore {
  /** Stores a report and replaces the earlier one of its month. */
  put(report: Report, html: string): Promise<void>;
  /** Finds the report of a month (as in 2026-10). */
  find(month: string): Promise<Report | null>;
}
