import { type Api, ApiError, asApiError, pause } from "../api.ts";
import type { Draft, LiveAnswer, Message, Session } from "../types.ts";
import { addPart, readParts } from "./answer-stream.ts";
import { fetchBranches, newestBelow, siblingsIn } from "./branches.ts";
import { type ConversationState, initialState } from "./conversation-state.ts";

/** Messages per page of the transcript. */
const PAGE = 50;
/** Messages per earlier page. It is the maximum of the API, because each page is rendered at once. */
const EARLIER_PAGE = 100;
/** Milliseconds before the page follows an answer again after its connection broke, by attempt. */
const FOLLOW_PAUSES = [300, 1000, 2000, 4000, 8000, 8000, 8000];
/** Milliseconds without data after which a followed answer counts as failed: before its first word, and after it. */
const SILENCE = { before: 45_000, after: 10_000 };

export interface Conversation {
  load(): Promise<void>;
  /** Loads the messages of other tabs, and follows an answer that another tab has requested. */
  refresh(): Promise<void>;
  loadOlder(): Promise<void>;
  send(draft: Draft): void;
  /** Sends a changed message instead of another one, which begins a branch. */
  edit(message: Message, draft: Draft): void;
  regenerate(answer: Message): void;
  stop(): Promise<void>;
  /** Shows the branch of a message. */
  switchTo(message: Message): Promise<void>;
  siblings(message: Message): Message[];
  reset(): Promise<void>;
  close(): void;
}

interface Options {
  api: Api;
  id: string;
  /** Whether the chat is new. Its session is created with the first message. */
  isNew: boolean;
  /** Whether the session will be incognito if it does not exist yet. */
  isIncognito(): boolean;
  /** Whether a draft exists for the session. If the session does not exist, the draft was not sent. */
  hasDraft: boolean;
  changed(state: ConversationState): void;
  /** Called when a message is being sent. */
  onAsked(content: string): void;
  /** Called when the API has accepted the message with this content, so that its draft can be deleted. */
  onAccepted(content: string): void;
  onAnswered(session: Session | undefined, answer: Message | undefined): void;
}

/** The state of one conversation, and all actions of a person on it. */
export function createConversation(options: Options): Conversation {
  const { api, id, isNew, isIncognito, hasDraft, changed, onAsked, onAccepted, onAnswered } = options;
  const abort = new AbortController();
  const { signal } = abort;
  const params = { id };
  let state = initialState;
  let exists = !isNew;

  function update(patch: Partial<ConversationState>): void {
    if (signal.aborted) return;
    state = { ...state, ...patch };
    changed(state);
  }

  async function fetchNewest(): Promise<void> {
    const query = { order: "desc", limit: PAGE } as const;
    const [session, page] = await Promise.all([
      api.call("GET /v1/sessions/{id}", { params, signal }),
      api.call("GET /v1/sessions/{id}/messages", { params, query, signal }),
    ]);
    const newest = (page.data as Message[]).reverse();
    // Keep the earlier pages if they are of the same branch.
    const at = state.messages.findIndex((message) => message.id === newest[0]?.id);
    const messages = at > 0 ? [...state.messages.slice(0, at), ...newest] : newest;
    update({ status: "ready", session, messages, cursor: at > 0 ? state.cursor : page.next_cursor });
    await loadBranches();
  }

  /** Loads the other branches, if there can be any. */
  async function loadBranches(): Promise<void> {
    const { session, messages, cursor } = state;
    const oldest = messages[0];
    if (!session || !oldest || oldest.parent_id === undefined) return;
    if (cursor === null && session.message_count <= messages.length) return update({ all: [] });
    // An earlier version of the first message is older than the message.
    const from = cursor === null ? undefined : oldest.created_at;
    const all = await fetchBranches(api, { id, from, signal });
    update({ all: all.length > messages.length ? all : [] });
  }

  async function load(): Promise<void> {
    if (!exists) return update({ status: "ready" });
    update({ ...initialState });
    try {
      await fetchNewest();
    } catch (error) {
      if (signal.aborted) return;
      const known = asApiError(error);
      if (known.status === 404) {
        exists = false;
        return update({ status: hasDraft ? "ready" : "missing" });
      }
      return update({ status: "failed", failure: { error: known, again: () => void load() } });
    }
    await follow();
  }

  /** Follows the running answer. Returns false if there is none. */
  async function follow(): Promise<boolean> {
    const { response, silence } = await openStream().catch(() => ({ response: undefined, silence: undefined }));
    if (response?.status !== 200) return false;
    await consume(response, silence);
    return true;
  }

  /** Opens the stream of the running answer. `silence` ends it. */
  async function openStream(): Promise<{ response: Response; silence: AbortController }> {
    const silence = new AbortController();
    const request = { params, signal: AbortSignal.any([signal, silence.signal]) };
    return { response: await api.open("GET /v1/sessions/{id}/chat/stream", request), silence };
  }

  /**
   * Shows a stream of an answer, and the stored answer at its end. A stream with `silence` comes from a function that may have died: it
   * is ended when nothing comes for a while. `earlier`: what was shown of the answer before its connection broke.
   */
  async function consume(response: Response, silence?: AbortController, earlier?: LiveAnswer): Promise<void> {
    let live: LiveAnswer = { id: undefined, text: "", reasoning: "", parts: [] };
    let failed: string | undefined;
    let isOver = false;
    update({ live, failure: undefined });
    // Change the page once per frame, also when the pieces come faster.
    let frame: number | undefined;
    const show = () => {
      frame ??= requestAnimationFrame(() => {
        frame = undefined;
        if (state.live) update({ live });
      });
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const seen = () => (live.text === "" && earlier ? earlier : live);
    const wait = () => {
      clearTimeout(timer);
      if (silence) timer = setTimeout(() => silence.abort(), seen().text === "" ? SILENCE.before : SILENCE.after);
    };
    try {
      wait();
      for await (const part of readParts(response)) {
        live = addPart(live, part);
        if (part.type === "start") {
          onAccepted(state.sending?.content ?? state.messages.findLast(({ role }) => role === "user")?.content ?? "");
        } else if (part.type === "error") failed = part.errorText;
        if (part.type === "finish" || part.type === "abort" || part.type === "error") isOver = true;
        show();
        wait();
      }
    } catch {
      // The connection broke. The code below looks for the missing part.
    }
    clearTimeout(timer);
    if (frame !== undefined) cancelAnimationFrame(frame);
    if (signal.aborted) return;
    update({ live });
    if (silence?.signal.aborted) return await settle(seen(), undefined, true);
    if (!isOver) return await recover(live);
    await settle(live, failed);
  }

  /** After the connection of an answer broke, follows the answer again, or shows the stored part of it. */
  async function recover(live: LiveAnswer): Promise<void> {
    for (const milliseconds of FOLLOW_PAUSES) {
      await pause(milliseconds, signal).catch(() => {});
      if (signal.aborted) return;
      const opened = await openStream().catch(() => undefined);
      if (!opened) continue;
      const { response, silence } = opened;
      if (response.status === 200) return await consume(response, silence, live);
      return await settle(live, undefined);
    }
    const error = new ApiError(0, {});
    update({ failure: { error, again: () => void recover(live) }, isStopping: false });
  }

  /** After the end of an answer, shows the stored messages, and the known part of a failed answer that is not stored yet. */
  async function settle(live: LiveAnswer, failed: string | undefined, hasBrokenOff = false): Promise<void> {
    try {
      await fetchNewest();
    } catch (error) {
      if (signal.aborted) return;
      return update({
        failure: { error: asApiError(error), again: () => void settle(live, failed, hasBrokenOff) },
        isStopping: false,
      });
    }
    const answer = state.messages.find((message) => message.id === live.id);
    const failure =
      failed !== undefined && !answer
        ? { error: new ApiError(500, { detail: failed }), again: () => update({ failure: undefined }) }
        : undefined;
    if (hasBrokenOff && !answer && live.text !== "") update({ messages: [...state.messages, toBroken(id, live)] });
    update({ live: undefined, sending: undefined, isStopping: false, failure });
    onAnswered(state.session, answer);
  }

  /** Asks, and shows the answer. A repeat has the same key, so the API does not store the message or ask the model twice. */
  function ask(body: object, shown: Partial<ConversationState>): void {
    if (shown.sending) onAsked(shown.sending.content);
    // Send it with every message, so that a session that has expired meanwhile is created again as incognito.
    const incognito = state.session ? state.session.incognito : isIncognito();
    const kind = incognito ? { incognito: true } : {};
    const headers = { "idempotency-key": crypto.randomUUID(), accept: "text/event-stream" };
    const attempt = async (): Promise<void> => {
      update({ ...shown, failure: undefined, live: undefined, isStopping: false });
      try {
        const request = { params, body: { ...body, ...kind, stream: true }, headers, signal };
        const response = await api.open("POST /v1/sessions/{id}/chat", request);
        exists = true;
        await consume(response);
      } catch (error) {
        if (!signal.aborted)
          update({ live: undefined, failure: { error: asApiError(error), again: () => void attempt() } });
      }
    };
    void attempt();
  }

  const before = (message: Message): Message[] => {
    const at = state.messages.findIndex((one) => one.id === message.id);
    return at < 0 ? state.messages : state.messages.slice(0, at);
  };

  return {
    load,
    async refresh() {
      if (!exists || state.status !== "ready" || state.live || state.sending) return;
      await fetchNewest().catch(() => {});
      if (!state.live && !state.sending) await follow();
    },
    async loadOlder() {
      if (state.cursor === null || state.isLoadingOlder) return;
      update({ isLoadingOlder: true });
      const query = { order: "desc", limit: EARLIER_PAGE, cursor: state.cursor } as const;
      try {
        const page = await api.call("GET /v1/sessions/{id}/messages", { params, query, signal });
        const older = (page.data as Message[]).reverse();
        update({ messages: [...older, ...state.messages], cursor: page.next_cursor, isLoadingOlder: false });
        if (state.all.length > 0 || page.next_cursor === null) await loadBranches();
      } catch {
        update({ isLoadingOlder: false });
      }
    },
    send(draft) {
      ask(bodyOf(draft), { sending: draft });
    },
    edit(message, draft) {
      const body = { ...bodyOf(draft), parent_id: message.parent_id ?? null };
      ask(body, { sending: draft, messages: before(message) });
    },
    regenerate(answer) {
      ask({ regenerate: answer.id }, { messages: before(answer) });
    },
    async stop() {
      update({ isStopping: true });
      await api.call("POST /v1/sessions/{id}/stop", { params }).catch(() => update({ isStopping: false }));
    },
    async switchTo(message) {
      const head = newestBelow(state.all, message);
      try {
        await api.call("PATCH /v1/sessions/{id}", { params, body: { head_id: head.id }, signal });
        update({ messages: before(message) });
        await fetchNewest();
      } catch (error) {
        if (!signal.aborted)
          update({ failure: { error: asApiError(error), again: () => update({ failure: undefined }) } });
      }
    },
    siblings: (message) => siblingsIn(state.all, message),
    async reset() {
      await api.call("POST /v1/sessions/{id}/reset", { params, headers: { "idempotency-key": crypto.randomUUID() } });
      update({ messages: [], all: [], cursor: null });
      await load();
    },
    close: () => abort.abort(),
  };
}

function bodyOf({ content, files }: Draft): object {
  if (files.length === 0) return { content };
  const text = content.trim() === "" ? [] : [{ type: "text", text: content }];
  return { parts: [...text, ...files.map((file) => ({ type: "file", ...file }))] };
}

/** A message that the API does not have yet. It has no parent, so that the person can neither edit it nor request another answer. */
function toBroken(session_id: string, { id = "", text: content }: LiveAnswer): Message {
  const created_at = new Date().toISOString();
  return { id, session_id, role: "assistant", content, created_at, status: "incomplete" } as Message;
}
