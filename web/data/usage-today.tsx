import { useCallback, useEffect, useState } from "preact/hooks";
import type { AnswerOf, ApiError } from "./api.ts";
import { useApp } from "./app-context.ts";
import { asApiError } from "./chat/conversation.ts";
import { formatCost, formatDateTime, formatNumber } from "./format.ts";
import { texts } from "./texts.ts";
import { Failure } from "./ui/failure.tsx";
import { TopBar } from "./ui/top-bar.tsx";

/** What the person has used today, and may use. */
export function Data({ onOpenSidebar }: { onOpenSidebar: () => void }) {
  const { api } = useApp();
  const [usage, setUsage] = useState<AnswerOf<"GET /v1/usage">>();
  const [error, setError] = useState<ApiError>();
  const { data } = texts;
  const load = useCallback(() => {
    setError(undefined);
    api.call("GET /v1/usage", {}).then(setUsage, (error: unknown) => setError(asApiError(error)));
  }, [api]);
  useEffect(() => {
    document.title = `${data.title} · ${texts.name}`;
    load();
  }, [load, data.title]);
  const limit = (value: number | null) => (value === null ? data.unlimited : formatNumber(value));
  const rows: [string, string][] = usage
    ? [
        [data.requests, formatNumber(usage.requests)],
        [data.input, formatNumber(usage.input_tokens)],
        [data.output, formatNumber(usage.output_tokens)],
        [data.cost, formatCost(usage.cost_usd)],
        [data.plan, usage.limits.plan],
        [data.perMinute, limit(usage.limits.requests_per_minute)],
        [data.perDay, limit(usage.limits.tokens_per_day)],
        [data.left, limit(usage.limits.tokens_left)],
      ]
    : [];
  return (
    <div class="view">
      <TopBar title={data.title} onOpenSidebar={onOpenSidebar} />
      <div class="page">
        <h2>{data.today}</h2>
        {error && <Failure error={error} onAgain={load} />}
        {!usage && !error && <div class="skeleton block" aria-busy="true" />}
        {usage && (
          <>
            <dl class="facts">
              {rows.map(([name, value]) => (
                <div>
                  <dt>{name}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
            </dl>
            <p class="quiet">{data.resets(formatDateTime(usage.resets_at))}</p>
          </>
        )}
      </div>
    </div>
  );
}
