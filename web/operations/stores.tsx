import { useEffect, useState } from "preact/hooks";
import { useApp } from "../app-context.ts";
import { formatBytes, formatNumber } from "../format.ts";
import { FactsTable } from "../ui/facts.tsx";
import { Chart } from "./chart.tsx";
import { operationTexts } from "./operation-texts.ts";
import { groupBy, type RangeName, readSeries, type Series, type Span, spanOf } from "./series.ts";

interface Stored {
  span: Span;
  bytes: Series[];
  items: Series[];
}

/** The size of each store and its growth. A job measures the stores once a day. */
export function Stores({ range }: { range: RangeName }) {
  const { api } = useApp();
  const [stored, setStored] = useState<Stored>();
  const { stores: words } = operationTexts;
  useEffect(() => {
    const span = spanOf(range === "90d" ? "90d" : "30d", Date.now());
    const read = async (name: string) =>
      groupBy(span, await readSeries(api, span, name, "store"), "store", ({ max }) => max);
    Promise.all([read("store.size"), read("store.size.items")]).then(
      ([bytes, items]) => setStored({ span, bytes, items }),
      () => {},
    );
  }, [api, range]);
  if (!stored) return null;
  const { span, bytes, items } = stored;
  return (
    <>
      <Chart title={words.title} kind="bars" span={span} series={bytes} format={formatBytes} empty={words.empty} />
      <section class="card">
        <h2>{words.table}</h2>
        {items.length === 0 ? (
          <p class="empty">{words.empty}</p>
        ) : (
          <FactsTable
            columns={words.columns}
            rows={items.map((item) =>
              rowOf(
                item,
                bytes.find(({ name }) => name === item.name),
              ),
            )}
            areNumbers
          />
        )}
      </section>
    </>
  );
}

function rowOf(items: Series, bytes: Series | undefined): string[] {
  const sizes = measured(bytes);
  const [first, last] = [sizes.at(-2), sizes.at(-1)];
  const growth = first === undefined || last === undefined ? undefined : last - first;
  return [
    items.name,
    formatNumber(measured(items).at(-1) ?? 0),
    last === undefined ? operationTexts.none : formatBytes(last),
    growth === undefined ? operationTexts.none : signed(growth),
  ];
}

const signed = (bytes: number): string => `${bytes < 0 ? "−" : "+"}${formatBytes(Math.abs(bytes))}`;

/** Returns the sizes of the days that have one. */
const measured = (series: Series | undefined): number[] =>
  series?.values.filter((value): value is number => Boolean(value)) ?? [];
