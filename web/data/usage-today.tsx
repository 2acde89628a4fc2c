import { useCallback, useEffect, useState } from "preact/hooks";
import { type AnswerOf, type ApiError, asApiError } from "../api.ts";
import { useApp } from "../app-context.ts";
import { formatCost, formatDateTime, formatNumber } from "../format.ts";
import { texts } from "../texts.ts";
import { Facts } from "../ui/facts.tsx";
import { Failure } from "../ui/failure.tsx";

/** The person's usage of today, and the limits. */
export function UsageToday() {
  const { api } = useApp();
  const [usage, setUsage] = useState<AnswerOf<"GET /v1/usage">>();
  const [error, setError] = useState<ApiError>();
  const { data } = texts;
  const load = useCallback(() => {
    setError(undefined);
    api.call("GET /v1/usage", {}).then(setUsage, (error: unknown) => setError(asApiError(error)));
  }, [api]);
  useEffect(load, [load]);
  const limit = (value: number | null) => (value === null ? data.unlimited : formatNumber(value));
  return (
    <section class="card">
      <h2>{data.today}</h2>
      {error && <Failure error={error} onAgain={load} />}
      {!usage && !error && <div class="skeleton block" aria-busy="true" />}
      {usage && (
        <>
          <Facts
            rows={[
              [data.requests, formatNumber(usage.requests)],
              [data.input, formatNumber(usage.input_tokens)],
              [data.output, formatNumber(usage.output_tokens)],
              [data.cost, formatCost(usage.cost_usd)],
              [data.plan, usage.limits.plan],
              [data.perMinute, limit(usage.limits.requests_per_minute)],
              [data.perDay, limit(usage.limits.tokens_per_day)],
              [data.left, limit(usage.limits.tokens_left)],
            ]}
          />
          <p class="quiet">{data.resets(formatDateTime(usage.resets_at))}</p>
        </>
      )}
    </section>
  );
}
