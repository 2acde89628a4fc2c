import type { ComponentChildren } from "preact";

/** Names and values, one pair per line. */
export function Facts({ rows }: { rows: readonly (readonly [name: string, value: string])[] }) {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

interface FactsTableProps {
  /** With a title, the table is a region that scrolls when it is too wide. */
  title?: string;
  columns: readonly string[];
  /** Cells by column. The first one names the row. */
  rows: readonly (readonly ComponentChildren[])[];
  /** Whether all columns but the first hold numbers. */
  areNumbers?: boolean;
  class?: string;
}

/** A table of texts, each row with a name. */
export function FactsTable({ title, columns, rows, areNumbers = false, class: kind = "" }: FactsTableProps) {
  const side = areNumbers ? "right" : undefined;
  const table = (
    <table>
      <thead>
        <tr>
          {columns.map((name, n) => (
            <th key={name} scope="col" class={n > 0 ? side : undefined}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, ...values], row) => (
          <tr key={row}>
            <th scope="row">{name}</th>
            {values.map((value, n) => (
              <td key={n} class={side}>
                {value}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
  if (title === undefined) return table;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reached by keyboard
    <section class={`scrolls ${kind}`} tabIndex={0} aria-label={title}>
      {table}
    </section>
  );
}
