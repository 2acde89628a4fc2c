import { useEffect, useRef, useState } from "preact/hooks";
import { useApp } from "../app-context.ts";
import { onShown } from "../listen.ts";
import { readDraft, writeDraft } from "../preferences.ts";
import { goTo, sessionHash } from "../route.ts";
import { texts } from "../texts.ts";
import { type Conversation, createConversation } from "./conversation.ts";
import type { ConversationState } from "./conversation-state.ts";

/** Maximum characters of a finished answer that are announced to screen readers. */
const ANNOUNCED = 400;

/** The conversation of a session, and its state. */
export function useConversation(
  id: string,
  isNew: boolean,
  isIncognito: boolean,
): [Conversation, ConversationState | undefined] {
  const { api, identity, sessions, announce } = useApp();
  const [state, setState] = useState<ConversationState>();
  const latest = useRef({ sessions, isIncognito });
  latest.current = { sessions, isIncognito };
  const [conversation] = useState(() =>
    createConversation({
      api,
      id,
      isNew,
      isIncognito: () => latest.current.isIncognito,
      hasDraft: readDraft(identity.user, id) !== "",
      changed: setState,
      onAsked(content) {
        // The draft belongs to the conversation now. It stays until the API has accepted the message.
        if (isNew) writeDraft(identity.user, "", "");
        // Keep a draft that was typed meanwhile, because it is not sent. The failed text is shown and can be sent again.
        if (readDraft(identity.user, id) === "") writeDraft(identity.user, id, content);
        if (isNew) goTo(sessionHash(id, latest.current.isIncognito), true);
      },
      onAccepted(content) {
        if (readDraft(identity.user, id) === content) writeDraft(identity.user, id, "");
      },
      onAnswered(session, answer) {
        if (session) latest.current.sessions.put(session);
        if (answer) announce(texts.chat.done(answer.content.slice(0, ANNOUNCED)));
      },
    }),
  );
  useEffect(() => {
    void conversation.load();
    const stop = onShown(() => void conversation.refresh());
    return () => {
      stop();
      conversation.close();
    };
  }, [conversation]);
  return [conversation, state];
}
