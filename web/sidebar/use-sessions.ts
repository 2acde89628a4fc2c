import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import type { Api } from "../api.ts";
import { onShown } from "../listen.ts";
import type { Session } from "../types.ts";

/** Sessions per page of the list. It is the maximum of the API. */
const PAGE = 100;

export type StatusFilter = "all" | "active" | "archived";

export interface Sessions {
  list: readonly Session[];
  status: "loading" | "ready" | "failed";
  hasMore: boolean;
  filter: StatusFilter;
  setFilter(filter: StatusFilter): void;
  loadMore(): Promise<void>;
  reload(): void;
  /** Adds a session to the list, or replaces it. */
  put(session: Session): void;
  /** Removes a session from the list. */
  take(id: string): void;
}

const byActivity = (a: Session, b: Session): number => (a.updated_at < b.updated_at ? 1 : -1);

/** The list of sessions, newest activity first, as far as it is loaded. */
export function useSessions(api: Api): Sessions {
  const [list, setList] = useState<Session[]>([]);
  const [status, setStatus] = useState<Sessions["status"]>("loading");
  const [cursor, setCursor] = useState<string | null>(null);
  const [filter, setFilter] = useState<StatusFilter>("all");

  const fetchPage = useCallback(
    (next: string | null) =>
      api.call("GET /v1/sessions", { query: { limit: PAGE, status: filter, ...(next && { cursor: next }) } }),
    [api, filter],
  );
  /** Loads the newest sessions, and pinned ones of any age. */
  const fetchFirst = useCallback(async () => {
    const query = { limit: PAGE, status: filter, pinned: "true" } as const;
    const [page, pinned] = await Promise.all([fetchPage(null), api.call("GET /v1/sessions", { query })]);
    return { ...page, data: [...page.data, ...pinned.data] };
  }, [api, filter, fetchPage]);
  const merge = useCallback((found: readonly Session[]) => {
    setList((known) => {
      const all = new Map([...known, ...found].map((session) => [session.id, session]));
      return [...all.values()].sort(byActivity);
    });
  }, []);
  const reload = useCallback(() => {
    setStatus("loading");
    fetchFirst().then(
      (page) => {
        setList([]);
        merge(page.data);
        setCursor(page.next_cursor);
        setStatus("ready");
      },
      () => setStatus("failed"),
    );
  }, [fetchFirst, merge]);
  useEffect(reload, [reload]);

  useEffect(() => {
    return onShown(() => {
      fetchFirst().then(
        (page) => merge(page.data),
        () => {},
      );
    });
  }, [fetchFirst, merge]);

  return useMemo(
    () => ({
      list,
      status,
      hasMore: cursor !== null,
      filter,
      setFilter,
      reload,
      put: (session) => merge([session]),
      take: (id) => setList((known) => known.filter((session) => session.id !== id)),
      async loadMore() {
        if (cursor === null) return;
        const page = await fetchPage(cursor).catch(() => undefined);
        if (!page) return;
        merge(page.data);
        setCursor(page.next_cursor);
      },
    }),
    [list, status, cursor, filter, fetchPage, merge, reload],
  );
}
