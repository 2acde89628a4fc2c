import { useEffect, useRef, useState } from "preact/hooks";
import { useApp } from "../app-context.ts";
import { listen } from "../listen.ts";
import { goTo, sessionHash } from "../route.ts";
import { texts } from "../texts.ts";
import type { Session } from "../types.ts";
import { explain } from "../ui/failure.tsx";
import { IncognitoIcon, MoreIcon, PinIcon } from "../ui/icons.tsx";

/** One conversation of the list, with its actions. */
export function SessionItem({ session, isCurrent }: { session: Session; isCurrent: boolean }) {
  const { api, sessions, notify } = useApp();
  const [mode, setMode] = useState<"closed" | "menu" | "rename">("closed");
  const item = useRef<HTMLLIElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const title = session.title || texts.sessions.untitled;
  const params = { id: session.id };

  useEffect(() => {
    if (mode !== "menu") return;
    item.current?.querySelector<HTMLElement>(".menu button")?.focus();
    return listen(["pointerdown", "focusin"], ({ target }) => {
      if (!item.current?.contains(target as Node)) setMode("closed");
    });
  }, [mode]);

  const close = () => {
    setMode("closed");
    button.current?.focus();
  };
  const change = async (body: { title?: string; pinned?: boolean }) => {
    close();
    sessions.put({ ...session, ...body });
    try {
      sessions.put(await api.call("PATCH /v1/sessions/{id}", { params, body }));
    } catch (error) {
      sessions.put(session);
      notify({ text: explain(error) });
    }
  };
  const remove = () => {
    setMode("closed");
    sessions.take(session.id);
    if (isCurrent) goTo("#/");
    const bringBack = () => sessions.put(session);
    const commit = () =>
      void api.call("DELETE /v1/sessions/{id}", { params }).catch((error: unknown) => {
        bringBack();
        notify({ text: explain(error) });
      });
    notify({ text: texts.sessions.removed(title), undo: bringBack, commit });
  };

  return (
    <li class={isCurrent ? "session current" : "session"} ref={item}>
      {mode === "rename" ? (
        <Rename
          title={session.title ?? ""}
          onCancel={() => setMode("closed")}
          onSave={(title) => void change({ title })}
        />
      ) : (
        <>
          <a href={sessionHash(session.id)} aria-current={isCurrent ? "page" : undefined} title={title}>
            {session.pinned && <PinIcon />}
            {session.incognito && <IncognitoIcon />}
            {session.incognito && <span class="hidden">{texts.chat.incognito}: </span>}
            <span>{title}</span>
          </a>
          <button
            type="button"
            class="icon"
            ref={button}
            aria-label={texts.sessions.menu(title)}
            aria-expanded={mode === "menu"}
            onClick={() => setMode(mode === "menu" ? "closed" : "menu")}
          >
            <MoreIcon />
          </button>
        </>
      )}
      {mode === "menu" && (
        <ul class="menu" onKeyDown={(event) => event.key === "Escape" && close()}>
          <li>
            <button type="button" onClick={() => setMode("rename")}>
              {texts.sessions.rename}
            </button>
          </li>
          <li>
            <button type="button" onClick={() => void change({ pinned: !session.pinned })}>
              {session.pinned ? texts.sessions.unpin : texts.sessions.pin}
            </button>
          </li>
          <li>
            <button type="button" class="danger" onClick={remove}>
              {texts.sessions.remove}
            </button>
          </li>
        </ul>
      )}
    </li>
  );
}

interface RenameProps {
  title: string;
  onSave: (title: string) => void;
  onCancel: () => void;
}

function Rename({ title, onSave, onCancel }: RenameProps) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, []);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onSave(field.current?.value.trim() ?? title);
      }}
    >
      <input
        ref={field}
        aria-label={texts.sessions.renameLabel}
        defaultValue={title}
        maxLength={500}
        onBlur={onCancel}
        onKeyDown={(event) => event.key === "Escape" && onCancel()}
      />
    </form>
  );
}
