import { useEffect, useState } from "preact/hooks";
import type { AnswerOf } from "../api.ts";
import { useApp } from "../app-context.ts";
import { formatDateTime, formatNumber } from "../format.ts";
import { texts } from "../texts.ts";
import { FactsTable } from "../ui/facts.tsx";
import { operationTexts } from "./operation-texts.ts";

type State = AnswerOf<"GET /v1/state">;

/** The current state of the system: active sessions, waiting work, providers with their circuits, and jobs. */
export function SystemState({ refreshed }: { refreshed: unknown }) {
  const { api } = useApp();
  const [state, setState] = useState<State | "failed">();
  const { state: words } = operationTexts;
  useEffect(() => {
    api.call("GET /v1/state", {}).then(setState, () => setState("failed"));
  }, [api, refreshed]);
  if (!state) return null;
  if (state === "failed") return <p class="quiet">{texts.errors.server}</p>;
  const waiting = Object.entries(state.waiting) as [keyof State["waiting"], State["waiting"]["sessions"]][];
  return (
    <>
      <Facts
        title={words.now}
        columns={words.nowColumns}
        rows={[[words.activeSessions, formatNumber(state.active_sessions)]]}
      />
      <Facts
        title={words.waiting}
        columns={words.waitingColumns}
        rows={waiting.map(([name, { count, oldest_at }]) => [words.kinds[name], formatNumber(count), since(oldest_at)])}
      />
      <Facts
        title={words.providers}
        columns={words.providerColumns}
        rows={state.providers.map(({ name, circuit, failures, opened_at }) => [
          name,
          opened_at ? words.open(formatDateTime(opened_at)) : words.circuits[circuit],
          formatNumber(failures),
        ])}
      />
      <Facts
        title={words.jobs}
        columns={words.jobColumns}
        rows={state.jobs.map(({ name, succeeded_at, late }) => [
          name,
          succeeded_at ? formatDateTime(succeeded_at) : words.never,
          late ? words.late : words.onTime,
        ])}
      />
    </>
  );
}

interface FactsProps {
  title: string;
  columns: readonly string[];
  rows: readonly (readonly string[])[];
}

function Facts({ title, columns, rows }: FactsProps) {
  return (
    <section class="card">
      <h2>{title}</h2>
      <FactsTable columns={columns} rows={rows} />
    </section>
  );
}

const since = (instant: string | null): string => (instant ? formatDateTime(instant) : operationTexts.none);
