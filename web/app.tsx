import type { ComponentType } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { createApi } from "./api.ts";
import { AppContext } from "./app-context.ts";
import { Chat } from "./chat/chat.tsx";
import { Data } from "./data/data.tsx";
import { listen } from "./listen.ts";
import { Memory } from "./memory/memory.tsx";
import { goTo, isIncognito, useLocation } from "./route.ts";
import { Sidebar } from "./sidebar/sidebar.tsx";
import { useSessions } from "./sidebar/use-sessions.ts";
import type { Identity } from "./sign-in.ts";
import { texts } from "./texts.ts";
import { Notices, useNotices } from "./ui/notices.tsx";
import { Shortcuts } from "./ui/shortcuts.tsx";

/** The page of a signed-in person: the sidebar, one view, and the notices. */
export function App({ identity }: { identity: Identity }) {
  const api = useMemo(() => createApi(identity), [identity]);
  const location = useLocation();
  const sessions = useSessions(api);
  const { notices, notify, dismiss } = useNotices();
  const [said, announce] = useState("");
  const [isSidebarOpen, setSidebarOpen] = useState(false);
  const [areKeysOpen, setKeysOpen] = useState(false);
  const isOnline = useOnline();
  const fresh = useFreshId(location.view === "chat" && location.session === undefined);
  const id = location.session ?? fresh;
  const app = useMemo(() => ({ api, identity, sessions, notify, announce }), [api, identity, sessions, notify]);
  const closeSidebar = useCallback(() => setSidebarOpen(false), []);
  useKeys(
    () => setKeysOpen(true),
    () => setSidebarOpen(true),
  );
  useEffect(closeSidebar, [location.view, location.session, closeSidebar]);

  return (
    <AppContext.Provider value={app}>
      <button type="button" class="skip" onClick={focusMain}>
        {texts.nav.skip}
      </button>
      <div class={isSidebarOpen ? "app sidebar-open" : "app"}>
        <Sidebar
          current={location}
          isOpen={isSidebarOpen}
          onClose={closeSidebar}
          onShowKeys={() => setKeysOpen(true)}
        />
        <main id="main" tabIndex={-1}>
          {!isOnline && (
            <p class="bar" role="status">
              {texts.errors.offline}
            </p>
          )}
          {location.view === "chat" && (
            <Chat
              key={id}
              id={id}
              isNew={location.session === undefined || location.session === fresh}
              isIncognito={isIncognito(location)}
              highlighted={location.filters.get("m") ?? undefined}
              onOpenSidebar={() => setSidebarOpen(true)}
            />
          )}
          {location.view === "memory" && <Memory onOpenSidebar={() => setSidebarOpen(true)} />}
          {location.view === "data" && <Data onOpenSidebar={() => setSidebarOpen(true)} />}
          {location.view === "audit" && (
            <Lazy
              load={() => import("./operations/audit.tsx").then(({ Audit }) => Audit)}
              props={{ filters: location.filters, onOpenSidebar: () => setSidebarOpen(true) }}
            />
          )}
          {location.view === "operations" && (
            <Lazy
              load={() => import("./operations/operations.tsx").then(({ Operations }) => Operations)}
              props={{ filters: location.filters, onOpenSidebar: () => setSidebarOpen(true) }}
            />
          )}
        </main>
      </div>
      <Notices notices={notices} onDismiss={dismiss} />
      {areKeysOpen && <Shortcuts onClose={() => setKeysOpen(false)} />}
      <p class="hidden" role="status">
        {said}
      </p>
    </AppContext.Provider>
  );
}

/** Loads the script of a component at its first use. */
function Lazy<P extends object>({ load, props }: { load: () => Promise<ComponentType<P>>; props: P }) {
  const [loaded, setLoaded] = useState<{ View: ComponentType<P> }>();
  useEffect(() => void load().then((View) => setLoaded({ View })), []);
  return loaded ? <loaded.View {...props} /> : <div class="skeleton" aria-busy="true" />;
}

/** The id of the next new chat. It stays until the person leaves that chat and begins another one. */
function useFreshId(isNewChat: boolean): string {
  const id = useRef(newId());
  const was = useRef(isNewChat);
  if (isNewChat && !was.current) id.current = newId();
  was.current = isNewChat;
  return id.current;
}

/** Makes a UUIDv7 (RFC 9562): the API's ids are ordered by time. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, Math.floor(Date.now() / 2 ** 32));
  view.setUint32(2, Date.now() % 2 ** 32);
  view.setUint8(6, 0x70 | (view.getUint8(6) & 0x0f));
  view.setUint8(8, 0x80 | (view.getUint8(8) & 0x3f));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function useOnline(): boolean {
  const [isOnline, setOnline] = useState(navigator.onLine);
  useEffect(() => listen(["online", "offline"], () => setOnline(navigator.onLine)), []);
  return isOnline;
}

/** Keyboard shortcuts that work outside of text fields. */
function useKeys(showKeys: () => void, openSidebar: () => void): void {
  useEffect(() => {
    return listen("keydown", (event) => {
      const isTyping =
        event.target instanceof Element && event.target.closest("input:not([type=checkbox]), textarea, select, dialog");
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "?") showKeys();
      else if (event.key === "n") goTo("#/");
      else if (event.key === "/") {
        openSidebar();
        requestAnimationFrame(() => document.querySelector<HTMLElement>("#search")?.focus());
      } else return;
      event.preventDefault();
    });
  }, []);
}

function focusMain(): void {
  (document.querySelector<HTMLElement>("#composer") ?? document.querySelector<HTMLElement>("#main"))?.focus();
}
