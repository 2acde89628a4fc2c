import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type AnswerOf, type ApiError, asApiError, type RequestOf } from "../api.ts";
import { useApp } from "../app-context.ts";
import { formatDateTime } from "../format.ts";
import { goTo } from "../route.ts";
import { texts } from "../texts.ts";
import { FactsTable } from "../ui/facts.tsx";
import { Failure } from "../ui/failure.tsx";
import { TopBar } from "../ui/top-bar.tsx";
import { operationTexts } from "./operation-texts.ts";

/** Records per page of the list. */
const PAGE = 50;

type Query = NonNullable<RequestOf<"GET /v1/audit">["query"]>;
type Found = AnswerOf<"GET /v1/audit">;

const FILTERS = ["from", "to", "action", "user"] as const;

/** Who did what to whose data, for admins. The filters are in the URL; days are those of the reader's zone. */
export function Audit({ filters, onOpenSidebar }: { filters: URLSearchParams; onOpenSidebar: () => void }) {
  const { api } = useApp();
  const [found, setFound] = useState<Found>();
  const [failure, setFailure] = useState<{ error: ApiError; again: () => void }>();
  /** Number of requests. A late answer to older filters is ignored. */
  const count = useRef(0);
  const { audit: words } = operationTexts;
  const asked = filters.toString();

  const load = useCallback(
    async (before?: Found) => {
      const request = ++count.current;
      setFailure(undefined);
      if (!before) setFound(undefined);
      try {
        const cursor = before?.next_cursor ?? undefined;
        const query = { ...queryOf(new URLSearchParams(asked)), limit: PAGE, ...(cursor && { cursor }) };
        const page = await api.call("GET /v1/audit", { query });
        if (request === count.current) setFound({ ...page, data: [...(before?.data ?? []), ...page.data] });
      } catch (error) {
        if (request === count.current) setFailure({ error: asApiError(error), again: () => void load(before) });
      }
    },
    [api, asked],
  );
  useEffect(() => {
    document.title = `${words.title} · ${texts.name}`;
    void load();
  }, [load, words.title]);

  return (
    <div class="view">
      <TopBar title={words.title} onOpenSidebar={onOpenSidebar}>
        <a href="#/operations">{operationTexts.title}</a>
      </TopBar>
      <div class="page wide">
        <p class="quiet">{words.intro}</p>
        <AuditFilters key={asked} filters={filters} onSame={() => void load()} />
        {failure && <Failure error={failure.error} onAgain={failure.again} />}
        {!found && !failure && <div class="skeleton block" role="status" aria-busy="true" aria-label={words.loading} />}
        {found && <AuditTable records={found.data} />}
        {found?.next_cursor && (
          <button type="button" onClick={() => void load(found)}>
            {words.more}
          </button>
        )}
      </div>
    </div>
  );
}

/** Audit records, the newest first. They name people by hashes. */
function AuditTable({ records }: { records: Found["data"] }) {
  const { audit: words } = operationTexts;
  if (records.length === 0) return <p class="empty">{words.empty}</p>;
  const rows = records.map(({ at, action, subject, actor, request_id }) => [
    <time dateTime={at} title={operationTexts.utcTime(Date.parse(at))}>
      {formatDateTime(at)}
    </time>,
    words.actions[action],
    subject === null ? operationTexts.none : <code>{subject}</code>,
    <code>{actor}</code>,
    <code>{request_id}</code>,
  ]);
  return <FactsTable title={words.title} class="audit" columns={words.columns} rows={rows} />;
}

/** `onSame` is called when the person asks for the filters that are shown. */
function AuditFilters({ filters, onSame }: { filters: URLSearchParams; onSame: () => void }) {
  const { audit: words } = operationTexts;
  const apply = (form: HTMLFormElement) => {
    const chosen = FILTERS.map((name) => [name, String(new FormData(form).get(name) ?? "").trim()]);
    const next = new URLSearchParams(chosen.filter(([, value]) => value !== "")).toString();
    if (next === filters.toString()) onSame();
    else goTo(`#/audit?${next}`);
  };
  return (
    <search>
      <form
        class="filters"
        onSubmit={(event) => {
          event.preventDefault();
          apply(event.currentTarget);
        }}
      >
        <label class="row">
          {words.from}
          <input type="date" name="from" defaultValue={filters.get("from") ?? ""} />
        </label>
        <label class="row">
          {words.to}
          <input type="date" name="to" defaultValue={filters.get("to") ?? ""} />
        </label>
        <label class="row">
          {words.action}
          <select name="action" defaultValue={filters.get("action") ?? ""}>
            <option value="">{words.allActions}</option>
            {Object.entries(words.actions).map(([action, label]) => (
              <option value={action} selected={action === filters.get("action")}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label class="row">
          {words.user}
          <input name="user" maxLength={255} autocomplete="off" defaultValue={filters.get("user") ?? ""} />
        </label>
        <button type="submit">{words.show}</button>
      </form>
    </search>
  );
}

/** Returns the query for the API: from the beginning of the first day to the end of the last one. */
function queryOf(filters: URLSearchParams): Query {
  const action = filters.get("action") as Query["action"] | null;
  const user = filters.get("user");
  const from = startOf(filters.get("from"), 0);
  const to = startOf(filters.get("to"), 1);
  return { ...(from && { from }), ...(to && { to }), ...(action && { action }), ...(user && { user_id: user }) };
}

/** Returns the midnight of a day such as 2026-11-21 in the reader's zone, plus some days; undefined = the text is not a day. */
function startOf(day: string | null, later: number): string | undefined {
  const [year = 0, month = 0, date = 0] = /^\d{4}-\d\d-\d\d$/.test(day ?? "") ? (day ?? "").split("-").map(Number) : [];
  return year > 0 ? new Date(year, month - 1, date + later).toISOString() : undefined;
}
