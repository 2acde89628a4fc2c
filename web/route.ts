import { useEffect, useState } from "preact/hooks";
import { listen } from "./listen.ts";

/** A view of the page: the part of the hash before `?`, split at slashes. Its filters come after `?`. */
export interface Location {
  view: "chat" | "memory" | "data" | "operations" | "audit";
  /** The session of a chat; undefined = a new one. */
  session: string | undefined;
  filters: URLSearchParams;
}

function parseHash(hash: string): Location {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [view, id] = path.split("/");
  const filters = new URLSearchParams(query);
  if (isPlain(view)) return { view, session: undefined, filters };
  return { view: "chat", session: view === "s" && id ? safeDecode(id) : undefined, filters };
}

const isPlain = (view?: string): view is Exclude<Location["view"], "chat"> =>
  ["memory", "data", "operations", "audit"].includes(view ?? "");

/** The filter of a new chat that will be incognito. */
const INCOGNITO = "incognito";

export const isIncognito = ({ filters }: Location): boolean => filters.has(INCOGNITO);

/** @param incognito whether the session will be incognito if it does not exist yet */
export const sessionHash = (id: string, incognito = false): string =>
  `#/s/${encodeURIComponent(id)}${incognito ? `?${INCOGNITO}` : ""}`;

export const newChatHash = (incognito = false): string => (incognito ? `#/?${INCOGNITO}` : "#/");

/** Returns the view of the URL, and updates it when the URL changes. */
export function useLocation(): Location {
  const [current, setCurrent] = useState(() => parseHash(location.hash));
  useEffect(() => listen("hashchange", () => setCurrent(parseHash(location.hash))), []);
  return current;
}

/** Shows another view; `replace` keeps it out of the history. */
export function goTo(hash: string, replace = false): void {
  if (!replace) {
    location.hash = hash;
    return;
  }
  history.replaceState(null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
