import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useApp } from "../app-context.ts";
import { formatMonth, midnight } from "../format.ts";
import { listen } from "../listen.ts";
import { goTo, type Location } from "../route.ts";
import { texts } from "../texts.ts";
import type { Session } from "../types.ts";
import { IconButton } from "../ui/icon-button.tsx";
import { CloseIcon, PlusIcon, SearchIcon } from "../ui/icons.tsx";
import { useSeen } from "../ui/use-seen.ts";
import { PersonMenu } from "./person-menu.tsx";
import { SessionItem } from "./session-item.tsx";
import type { StatusFilter } from "./use-sessions.ts";

const FILTERS: readonly StatusFilter[] = ["all", "active", "archived"];

interface Props {
  current: Location;
  isOpen: boolean;
  onClose: () => void;
  onShowKeys: () => void;
}

/** The list of conversations, and the person's menu. On narrow screens it is a sheet. */
export function Sidebar({ current, isOpen, onClose, onShowKeys }: Props) {
  const { sessions } = useApp();
  const [search, setSearch] = useState("");
  const panel = useRef<HTMLElement>(null);
  const end = useRef<HTMLDivElement>(null);
  const wanted = search.trim().toLowerCase();
  const { list, hasMore, loadMore, status } = sessions;
  const groups = useMemo(
    () => groupsOf(list.filter(({ title }) => wanted === "" || title?.toLowerCase().includes(wanted))),
    [list, wanted],
  );
  // A search filters in the browser, so it needs all pages. Without a search, load the next page when the end of the list is visible.
  const isAtEnd = useSeen(end, hasMore);
  useEffect(() => {
    if (hasMore && status === "ready" && (wanted !== "" || isAtEnd)) void loadMore();
  }, [hasMore, wanted, isAtEnd, list.length, status]);

  useEffect(() => {
    if (!isOpen) return;
    panel.current?.querySelector<HTMLElement>("button")?.focus();
    return listen("keydown", ({ key }) => key === "Escape" && onClose());
  }, [isOpen, onClose]);

  return (
    <>
      <button type="button" class="backdrop" tabIndex={-1} aria-label={texts.nav.close} onClick={onClose} />
      <nav class="sidebar" aria-label={texts.nav.label} ref={panel}>
        <header>
          <strong>{texts.name}</strong>
          <IconButton icon={CloseIcon} class="icon only-narrow" label={texts.nav.close} onClick={onClose} />
        </header>
        <button type="button" class="new-chat" onClick={() => goTo("#/")}>
          <PlusIcon />
          {texts.nav.newChat}
        </button>
        <label class="search">
          <SearchIcon />
          <input
            id="search"
            type="search"
            placeholder={texts.nav.search}
            aria-label={texts.nav.search}
            value={search}
            onInput={({ currentTarget }) => setSearch(currentTarget.value)}
          />
        </label>
        <fieldset class="filter">
          <legend class="hidden">{texts.sessions.filter}</legend>
          {FILTERS.map((filter) => (
            <label>
              <input
                type="radio"
                name="status"
                checked={sessions.filter === filter}
                onChange={() => sessions.setFilter(filter)}
              />
              <span>{texts.sessions[filter]}</span>
            </label>
          ))}
        </fieldset>
        <div class="sessions">
          {groups.map(({ title, sessions }) => (
            <section key={title}>
              <h2>{title}</h2>
              <ul>
                {sessions.map((session) => (
                  <SessionItem key={session.id} session={session} isCurrent={session.id === current.session} />
                ))}
              </ul>
            </section>
          ))}
          <ListState isEmpty={groups.length === 0} isSearch={wanted !== ""} />
          <div ref={end} />
        </div>
        <PersonMenu current={current} onShowKeys={onShowKeys} />
      </nav>
    </>
  );
}

function ListState({ isEmpty, isSearch }: { isEmpty: boolean; isSearch: boolean }) {
  const { sessions } = useApp();
  if (sessions.status === "failed") {
    return (
      <p class="quiet">
        {texts.sessions.failed}{" "}
        <button type="button" class="text" onClick={sessions.reload}>
          {texts.errors.again}
        </button>
      </p>
    );
  }
  if (sessions.status === "loading" && isEmpty) {
    return (
      <div aria-busy="true" role="status" aria-label={texts.sessions.loading}>
        {[70, 50, 80, 60].map((width) => (
          <div class="skeleton line" style={{ width: `${width}%` }} />
        ))}
      </div>
    );
  }
  if (isSearch && sessions.hasMore) return <p class="quiet">{texts.sessions.searching}</p>;
  if (!isEmpty) return null;
  return <p class="quiet">{isSearch ? texts.sessions.noMatch : texts.sessions.empty}</p>;
}

/** Sessions by the day of their last activity, pinned ones first. */
function groupsOf(list: readonly Session[]): { title: string; sessions: Session[] }[] {
  const groups = Map.groupBy(list, (session) => (session.pinned ? texts.sessions.pinned : dayOf(session.updated_at)));
  const pinned = groups.get(texts.sessions.pinned);
  groups.delete(texts.sessions.pinned);
  const entries = [...(pinned ? [[texts.sessions.pinned, pinned] as const] : []), ...groups];
  return entries.map(([title, sessions]) => ({ title, sessions }));
}

const weekday = new Intl.DateTimeFormat("en", { weekday: "long" });

function dayOf(instant: string): string {
  const at = Date.parse(instant);
  if (at >= midnight()) return texts.sessions.today;
  if (at >= midnight(1)) return texts.sessions.yesterday;
  return at >= midnight(6) ? weekday.format(at) : formatMonth(instant);
}
