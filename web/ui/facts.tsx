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
  columns: readonly string[];
  /** Texts by column. The first one names the row. */
  rows: readonly (readonly string[])[];
  /** Whether all columns but the first hold numbers. */
  areNumbers?: boolean;
}

/** A table of texts, each row with a name. */
export function FactsTable({ columns, rows, areNumbers = false }: FactsTableProps) {
  const side = areNumbers ? "right" : undefined;
  return (
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
        {rows.map(([name, ...values]) => (
          <tr key={name}>
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
}
