import { FactsTable } from "../ui/facts.tsx";
import { operationTexts } from "./operation-texts.ts";
import type { Series, Span } from "./series.ts";

interface DataTableProps {
  title: string;
  span: Span;
  series: Series[];
  format: (value: number) => string;
}

/** The values of a chart, newest first, without the windows in which nothing happened. */
export function DataTable({ title, span, series, format }: DataTableProps) {
  const rows = span.starts
    .map((start, n) => ({ start, values: series.map(({ values }) => values[n] ?? null) }))
    .filter(({ values }) => values.some(Boolean))
    .reverse()
    .map(({ start, values }) => [
      <span title={operationTexts.utcTime(start)}>{operationTexts.localTime(start)}</span>,
      ...values.map((value) => (value === null ? operationTexts.none : format(value))),
    ]);
  const columns = [operationTexts.time, ...series.map(({ name }) => name)];
  return <FactsTable title={title} class="tall" columns={columns} rows={rows} areNumbers />;
}
