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
  const rows = span.starts.map((start, n) => ({ start, values: series.map(({ values }) => values[n] ?? null) }));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reached by keyboard
    <section class="scrolls tall" tabIndex={0} aria-label={title}>
      <table>
        <thead>
          <tr>
            <th scope="col">{operationTexts.time}</th>
            {series.map(({ name }) => (
              <th key={name} scope="col" class="right">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows
            .filter(({ values }) => values.some(Boolean))
            .reverse()
            .map(({ start, values }) => (
              <tr key={start}>
                <th scope="row" title={operationTexts.utcTime(start)}>
                  {operationTexts.localTime(start)}
                </th>
                {values.map((value, n) => (
                  <td key={n} class="right">
                    {value === null ? operationTexts.none : format(value)}
                  </td>
                ))}
              </tr>
            ))}
        </tbody>
      </table>
    </section>
  );
}
