import { type Api, ApiError, asApiError, pause } from "../api.ts";
import type { Draft, LiveAnswer, Message, Session } from "../types.ts";
import { addPart, readParts } from "./answer-stream.ts";
import { fetchBranches, newestBelow, siblingsIn } from "./branches.ts";
import { type ConversationState, initialState } from "./conversation-state.ts";

/** Messages of a page of the transcript. */
const PAGE = 50;
/** Messages of an earlier page: as many as the API gives at most, because each page is rendered at once. */
const EARLIER_PAGE = 100;
/** Milliseconds before an answer whose connection broke is followed again, by attempt. */
const FOLLOW_PAUSES = [300, 1000, 2000, 4000, 8000, 8000, 8000];
/** Milliseconds of silence after which an answer that is followed has broken off: before its first word, and after it. */
const SILENCE = { before: 45_000, after: 10_000 };

export interface Conversation {
  readonly id: string;
  load(): Promise<void>;
  /** Loads what other tabs have written, and follows an answer that they have asked for. */
  refresh(): Promise<void>;
  loadOlder(): Promise<void>;
  send(draft: Draft): void;
  /** Sends a changed message in place of another one: begins a branch. */
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
  /** The session exists only when something is sent. */
  isNew: boolean;
  /** Whether the session is to be incognito, if it does not exist yet. */
  isIncognito(): boolean;
  /** Something was typed for the session: if it does not exist, that was not sent. */
  hasDraft: boolean;
  changed(state: ConversationState): void;
  /** A message is on its way. */
  onAsked(content: string): void;
  /** The API has the message with this content: its draft is not needed any longer. */
  onAccepted(content: string): void;
  onAnswered(session: Session | undefined, answer: Message | undefined): void;
}

/** The state of one conversation, and everything that a person can do with it. */
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

  /** Loads the other branches, if there may be any. */
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

  /** Follows the answer that is being given, if there is one. Returns whether there was. */
  async function follow(): Promise<boolean> {
    const { response, silence } = await openStream().catch(() => ({ response: undefined, silence: undefined }));
    if (response?.status !== 200) return false;
    await consume(response, silence);
    return true;
  }

  /** Opens the stream of the answer that is being given. `silence` ends it. */
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
    let live: LiveAnswer = { id: undefined, text: "", reasoning: "", parts: [], model: undefined };
    let failed: string | undefined;
    let isOver = false;
    update({ live, failure: undefined });
    // One change per frame, however fast the pieces come.
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
      // The connection broke: what is missing is looked for below.
    }
    clearTimeout(timer);
    if (frame !== undefined) cancelAnimationFrame(frame);
    if (signal.aborted) return;
    update({ live });
    if (silence?.signal.aborted) return await settle(seen(), undefined, true);
    if (!isOver) return await recover(live);
    await settle(live, failed);
  }

  /** The connection broke while an answer came: follows the answer again, or shows what is stored of it. */
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

  /** The answer is over: shows the stored messages, and what there was of an answer that broke off and is not stored yet. */
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

  /** Asks, and shows the answer. A repeat has the same key, so the API does not store or ask anything twice. */
  function ask(body: object, shown: Partial<ConversationState>): void {
    if (shown.sending) onAsked(shown.sending.content);
    // With every message: a session that has expired meanwhile begins again as what it was.
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
    id,
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

/** Without a parent, so that it can neither be edited nor answered again: the API does not have it yet. */
function toBroken(session_id: string, { id = "", text: content }: LiveAnswer): Message {
  const created_at = new Date().toISOString();
  return { id, session_id, role: "assistant", content, created_at, status: "incomplete" } as Message;
}
