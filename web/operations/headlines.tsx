import { formatCost, formatDuration, formatNumber, formatPercent } from "../format.ts";
import { operationTexts } from "./operation-texts.ts";
import type { Headline } from "./read-dashboard.ts";

const FORMATS: Record<Headline["id"], (value: number) => string> = {
  requests: formatNumber,
  errors: formatPercent,
  p95: formatDuration,
  firstToken: formatDuration,
  cost: formatCost,
};

/** The five numbers at the top, with their change since yesterday. */
export function Headlines({ headlines }: { headlines: Headline[] }) {
  return (
    <dl class="headlines">
      {headlines.map(({ id, now, before, values }) => (
        <div key={id}>
          <dt>{operationTexts.headlines[id]}</dt>
          <dd>
            <strong>{now === null ? operationTexts.none : FORMATS[id](now)}</strong>
            <span class="quiet">{changeOf(now, before)}</span>
            <Sparkline values={values} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function changeOf(now: number | null, before: number | null): string {
  if (now === null || before === null || before === 0) return operationTexts.noYesterday;
  const change = Math.round((now / before - 1) * 100);
  return operationTexts.change(change);
}

function Sparkline({ values }: { values: number[] }) {
  const most = Math.max(...values, 0);
  if (values.length < 2 || most === 0) return <svg viewBox="0 0 100 24" class="sparkline" aria-hidden="true" />;
  const points = values.map(
    (value, n) => `${((n / (values.length - 1)) * 100).toFixed(1)},${(22 - (value / most) * 20).toFixed(1)}`,
  );
  return (
    <svg viewBox="0 0 100 24" class="sparkline" aria-hidden="true" preserveAspectRatio="none">
      <polyline points={points.join(" ")} />
    </svg>
  );
}
