import { useEffect, useState } from "preact/hooks";
import { type AnswerOf, type ApiError, asApiError } from "../api.ts";
import { useApp } from "../app-context.ts";
import { formatCost, formatDuration, formatNumber, formatPercent } from "../format.ts";
import { texts } from "../texts.ts";
import { FactsTable } from "../ui/facts.tsx";
import { operationTexts } from "./operation-texts.ts";

type Report = AnswerOf<"GET /v1/reports/{month}">;
type Figure = keyof Report["figures"];

const FIGURES: [Figure, (value: number) => string][] = [
  ["sessions", formatNumber],
  ["active_users", formatNumber],
  ["return_rate", formatPercent],
  ["messages", formatNumber],
  ["satisfaction", formatPercent],
  ["conversions", formatNumber],
  ["cost_usd", formatCost],
  ["requests", formatNumber],
  ["error_rate", formatPercent],
  ["latency_p95_ms", formatDuration],
  ["first_token_p95_ms", formatDuration],
];

/** The report of one month, beside the month before. */
export function MonthlyReport() {
  const { api } = useApp();
  const [month, setMonth] = useState(() => new Date().toISOString().slice(0, 7));
  const [report, setReport] = useState<Report>();
  const [error, setError] = useState<ApiError>();
  const { report: words } = operationTexts;
  useEffect(() => {
    setReport(undefined);
    setError(undefined);
    if (!/^\d{4}-\d\d$/.test(month)) return;
    api.call("GET /v1/reports/{month}", { params: { month } }).then(setReport, (error: unknown) => {
      setError(asApiError(error));
    });
  }, [api, month]);
  return (
    <section class="card">
      <h2>{words.title}</h2>
      <label>
        {words.month}{" "}
        <input type="month" value={month} onInput={({ currentTarget }) => setMonth(currentTarget.value)} />
      </label>
      {error && <p class="quiet">{error.status === 404 ? words.none : texts.errors.server}</p>}
      {report && (
        <FactsTable
          columns={[words.figure, report.complete ? report.month : words.running(report.month), words.before]}
          rows={FIGURES.map(([figure, format]) => [
            words.figures[figure as keyof typeof words.figures],
            show(report.figures[figure], format),
            show(report.previous?.[figure] ?? null, format),
          ])}
          areNumbers
        />
      )}
    </section>
  );
}

const show = (value: number | null, format: (value: number) => string): string =>
  value === null ? operationTexts.none : format(value);
