import { useEffect, useRef, useState } from "preact/hooks";
import { useApp } from "../app-context.ts";
import { formatDateTime } from "../format.ts";
import { listen } from "../listen.ts";
import { readDraft } from "../preferences.ts";
import { goTo, newChatHash } from "../route.ts";
import { texts } from "../texts.ts";
import type { Message, Session } from "../types.ts";
import { Failure } from "../ui/failure.tsx";
import { IconButton } from "../ui/icon-button.tsx";
import { IncognitoIcon, InfoIcon } from "../ui/icons.tsx";
import { TopBar } from "../ui/top-bar.tsx";
import { Composer } from "./composer.tsx";
import { DetailsDrawer } from "./details-drawer.tsx";
import { LiveView, SentView } from "./live.tsx";
import { MessageView } from "./message.tsx";
import { useConversation } from "./use-conversation.ts";
import { useFollow } from "./use-follow.ts";
import { filesOf } from "./use-uploads.ts";
import { WhyDrawer } from "./why-drawer.tsx";

interface ChatProps {
  id: string;
  isNew: boolean;
  /** Whether the session will be incognito if it does not exist yet. */
  isIncognito: boolean;
  /** The message to which a link points. */
  highlighted: string | undefined;
  onOpenSidebar: () => void;
}

/** One conversation: transcript, composer and drawer. */
export function Chat({ id, isNew, isIncognito, highlighted, onOpenSidebar }: ChatProps) {
  const { identity } = useApp();
  const [conversation, state] = useConversation(id, isNew, isIncognito);
  const [drawer, setDrawer] = useState<"details" | Message>();
  const [editing, setEditing] = useState<string>();
  const transcript = useRef<HTMLDivElement>(null);
  const { isAtEnd, toEnd } = useFollow(transcript, state, () => void conversation.loadOlder());
  const isBusy = state?.sending !== undefined || state?.live !== undefined;
  const title = state?.session?.title || (isNew ? texts.nav.newChat : texts.sessions.untitled);

  useEffect(() => {
    document.title = `${title} · ${texts.name}`;
  }, [title]);
  const isReady = state?.status === "ready";
  useEffect(() => {
    if (isReady && highlighted) document.getElementById(`m-${highlighted}`)?.scrollIntoView({ block: "center" });
  }, [isReady, highlighted]);
  useEffect(() => {
    return listen("keydown", (event) => {
      if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
      if (state?.live) void conversation.stop();
      else setDrawer(undefined);
    });
  }, [conversation, state?.live]);

  const messages = state?.messages ?? [];
  const lastUser = messages.findLast(({ role }) => role === "user");
  const last = messages.at(-1);
  const isEmpty = state?.status === "ready" && messages.length === 0 && !isBusy;

  return (
    <div class={drawer ? "chat with-drawer" : "chat"}>
      <TopBar title={title} onOpenSidebar={onOpenSidebar}>
        {isEmpty && !state?.session && (
          <button
            type="button"
            class="switch"
            aria-pressed={isIncognito}
            onClick={() => goTo(newChatHash(!isIncognito), true)}
          >
            <IncognitoIcon />
            {texts.chat.incognito}
          </button>
        )}
        {state?.session && (
          <IconButton
            icon={InfoIcon}
            label={texts.chat.details}
            aria-expanded={drawer === "details"}
            onClick={() => setDrawer(drawer === "details" ? undefined : "details")}
          />
        )}
      </TopBar>
      {(state?.session ? state.session.incognito : isIncognito) && <IncognitoBar session={state?.session} />}
      {state?.session?.status === "archived" && <p class="bar">{texts.chat.archived}</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reached by keyboard */}
      <div class="transcript" role="log" aria-live="off" aria-label={texts.chat.log} tabIndex={0} ref={transcript}>
        <div class="column">
          {state?.status === "loading" && <Skeleton />}
          {state?.status === "missing" && <p class="empty">{texts.chat.missing}</p>}
          {state?.isLoadingOlder && <p class="quiet">{texts.chat.older}</p>}
          {isEmpty && <Welcome onChoose={(content) => conversation.send({ content, files: [] })} />}
          {messages.map((message) => (
            <MessageView
              key={message.id}
              message={message}
              conversation={conversation}
              versions={conversation.siblings(message)}
              isHighlighted={message.id === highlighted}
              isEditing={editing === message.id}
              isLast={message === last}
              isBusy={isBusy}
              onEdit={(isOn) => setEditing(isOn ? message.id : undefined)}
              onWhy={() => setDrawer(message)}
            />
          ))}
          {state?.sending && <SentView draft={state.sending} isUploaded={state.live?.id !== undefined} />}
          {isBusy && (!state?.failure || state.live?.text) && <LiveView live={state?.live} />}
          {state?.failure && (
            <Failure
              error={state.failure.error}
              text={state.status === "failed" ? texts.chat.failed : undefined}
              onAgain={state.failure.again}
            />
          )}
          {last?.role === "user" && isReady && !isBusy && !state.failure && (
            <p class="failure">
              {texts.message.unanswered}{" "}
              <button
                type="button"
                onClick={() => conversation.edit(last, { content: last.content, files: filesOf(last) })}
              >
                {texts.message.ask}
              </button>
            </p>
          )}
        </div>
      </div>
      {!isAtEnd && (
        <button type="button" class="to-newest" onClick={toEnd}>
          {texts.chat.newest}
        </button>
      )}
      <Composer
        draftKey={isNew && !state?.session && !state?.sending ? "" : id}
        initial={readDraft(identity.user, isNew ? "" : id)}
        isBusy={isBusy && !state?.failure}
        isStopping={state?.isStopping ?? false}
        isDisabled={state?.status === "missing"}
        onSend={(draft) => {
          conversation.send(draft);
          toEnd();
        }}
        onStop={() => void conversation.stop()}
        onEditLast={() => lastUser && setEditing(lastUser.id)}
      />
      {drawer === "details" && state?.session && (
        <DetailsDrawer
          session={state.session}
          onReset={() => conversation.reset()}
          onClose={() => setDrawer(undefined)}
        />
      )}
      {drawer && drawer !== "details" && <WhyDrawer answer={drawer} onClose={() => setDrawer(undefined)} />}
    </div>
  );
}

function IncognitoBar({ session }: { session: Session | undefined }) {
  const { incognitoWhat, incognitoNew, incognitoUntil, incognitoKept } = texts.chat;
  const end = session?.expires_at ? incognitoUntil(formatDateTime(session.expires_at)) : incognitoKept;
  return (
    <p class="bar" role="status">
      <IncognitoIcon /> {incognitoWhat} {session ? end : incognitoNew}
    </p>
  );
}

function Welcome({ onChoose }: { onChoose: (text: string) => void }) {
  return (
    <div class="welcome">
      <h2>{texts.chat.welcome}</h2>
      <ul>
        {texts.chat.suggestions.map((text) => (
          <li>
            <button type="button" onClick={() => onChoose(text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Skeleton() {
  return (
    <div role="status" aria-busy="true" aria-label={texts.chat.loading}>
      {[40, 90, 75, 55, 85].map((width) => (
        <div class="skeleton line" style={{ width: `${width}%` }} />
      ))}
    </div>
  );
}
