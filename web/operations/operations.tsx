import { useCallback, useEffect, useState } from "preact/hooks";
import { type ApiError, asApiError } from "../api.ts";
import { useApp } from "../app-context.ts";
import { formatCost, formatDuration, formatNumber } from "../format.ts";
import { goTo } from "../route.ts";
import { texts } from "../texts.ts";
import { Failure } from "../ui/failure.tsx";
import { TopBar } from "../ui/top-bar.tsx";
import { Chart } from "./chart.tsx";
import { Cleanup } from "./cleanup.tsx";
import { Headlines } from "./headlines.tsx";
import { MonthlyReport } from "./monthly-report.tsx";
import { operationTexts } from "./operation-texts.ts";
import { type Dashboard, readDashboard } from "./read-dashboard.ts";
import { type RangeName, ranges } from "./series.ts";
import { SystemState } from "./state.tsx";
import { Stores } from "./stores.tsx";

interface OperationsProps {
  filters: URLSearchParams;
  onOpenSidebar: () => void;
}

/** The running system, for admins: numbers, charts, the monthly report and the cleanup. */
export function Operations({ filters, onOpenSidebar }: OperationsProps) {
  const { api } = useApp();
  const [dashboard, setDashboard] = useState<Dashboard>();
  const [error, setError] = useState<ApiError>();
  const asked = filters.get("from") ?? "";
  const range: RangeName = asked in ranges ? (asked as RangeName) : "24h";
  const route = filters.get("route") || undefined;
  const words = operationTexts;
  const load = useCallback(() => {
    setError(undefined);
    readDashboard(api, range, route).then(setDashboard, (error: unknown) => setError(asApiError(error)));
  }, [api, range, route]);
  useEffect(() => {
    document.title = `${words.title} · ${texts.name}`;
    load();
  }, [load, words.title]);

  const filter = (change: Record<string, string>) => {
    const next = new URLSearchParams({ from: range, ...(route && { route }), ...change });
    for (const [name, value] of [...next]) if (value === "") next.delete(name);
    goTo(`#/operations?${next}`);
  };
  return (
    <div class="view">
      <TopBar title={words.title} onOpenSidebar={onOpenSidebar}>
        <a href="#/audit">{words.audit.title}</a>
        <button type="button" onClick={load}>
          {words.refresh}
        </button>
      </TopBar>
      <div class="page wide">
        {error && <Failure error={error} onAgain={load} />}
        {!dashboard && !error && (
          <div class="skeleton block" role="status" aria-busy="true" aria-label={words.loading} />
        )}
        {dashboard && (
          <>
            <Headlines headlines={dashboard.headlines} />
            <div class="filters">
              <label class="row">
                {words.range}
                <select value={range} onChange={({ currentTarget }) => filter({ from: currentTarget.value })}>
                  {Object.keys(ranges).map((name) => (
                    <option value={name}>{words.ranges[name as RangeName]}</option>
                  ))}
                </select>
              </label>
              <label class="row">
                {words.route}
                <select value={route ?? ""} onChange={({ currentTarget }) => filter({ route: currentTarget.value })}>
                  <option value="">{words.allRoutes}</option>
                  {dashboard.routes.map((name) => (
                    <option value={name}>{name}</option>
                  ))}
                </select>
              </label>
            </div>
            <div class="charts">
              <Charts dashboard={dashboard} range={range} />
              <SystemState refreshed={dashboard} />
              <MonthlyReport />
              <Cleanup />
            </div>
          </>
        )}
      </div>
    </div>
  );
}

function Charts({ dashboard, range }: { dashboard: Dashboard; range: RangeName }) {
  const { charts, noRequests, noAnswers, noSessions } = operationTexts;
  const rows = [
    ["requests", "bars", formatNumber, noRequests],
    ["latency", "lines", formatDuration, noRequests],
    ["firstToken", "lines", formatDuration, noAnswers],
    ["tokens", "bars", formatNumber, noAnswers],
    ["cost", "bars", formatCost, noAnswers],
    ["sessions", "bars", formatNumber, noSessions],
    ["users", "bars", formatNumber, noRequests],
  ] as const;
  return (
    <>
      {rows.map(([name, kind, format, empty]) => {
        const [title, series] = [charts[name], dashboard[name]];
        return <Chart key={name} {...{ title, kind, series, format, empty }} span={dashboard.span} />;
      })}
      <Stores range={range} />
    </>
  );
}
