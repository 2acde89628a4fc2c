import { AppError } from "../errors.ts";
import { stillRunning } from "../idempotency/attempt.ts";
import { appendMessages } from "../session/append-messages.ts";
import { createSession } from "../session/create-session.ts";
import { noSuchMessage } from "../session/list-messages.ts";
import { type MessageRecord, positionOf } from "../session/message.ts";
import { hotMessages } from "../session/message-source.ts";
import { notFound, readSession } from "../session/read-session.ts";
import { restoreSession } from "../session/restore-session.ts";
import { contended, retryContended } from "../session/retry-contended.ts";
import type { MessageInput } from "../session/schema.ts";
import { isExpired, isLaterThan, type RequestIdentity, type SessionRecord } from "../session/session.ts";
import { branchFor, forkAt, headOf, LINEAR, type Path, pathOf, placeOf, type Tree } from "../session/tree.ts";
import { collectDeadTurns } from "./end-turn.ts";
import { steppedWindow } from "./prompt.ts";
import { firstWords } from "./title.ts";
import { checkToolResults, givesResults, unchangedSince } from "./tool-results.ts";
import type { ChatDependencies, TurnRequest } from "./turn.ts";
import type { BeginRequest } from "./turn-store.ts";

/** A hot session and its newest messages. */
export interface Window {
  record: SessionRecord;
  tree: Tree;
  /** Messages of the current branch, oldest first. */
  messages: MessageRecord[];
}

export interface OpenedTurn {
  record: SessionRecord;
  /** Messages before the question, oldest first. */
  history: MessageRecord[];
  /** The branch of the question and the answer. */
  branch: number;
  /** The path that ends with this branch. */
  path: Path;
  /** How many messages the session has before `history`. */
  skipped: number;
}

interface Opening {
  question: MessageRecord;
  /** The identity of the request. */
  identity: RequestIdentity;
  /** Id of the answer. */
  answer: string;
  /** Epoch milliseconds after which the turn counts as dead. */
  until: number;
}

/** Reads the header and the newest messages in one strongly consistent Query. `null`: the session is not hot. */
export async function readWindow(deps: ChatDependencies, request: TurnRequest): Promise<Window | null> {
  // The store also returns the message before the ones it is asked for.
  const { record, tree, messages, before } = await deps.messages.window(
    request.session,
    historyLimit(deps, request) - 1,
  );
  if (record?.status !== "active" || isExpired(record, deps.clock())) return null;
  return { record, tree, messages: [...(before ? [before] : []), ...messages.toReversed()] };
}

/** Messages to read: at least one, because the turn needs the last message even if the model sees no history. */
const historyLimit = (deps: ChatDependencies, request: TurnRequest): number => Math.max(1, mostHistory(deps, request));

/** Messages before the question that the model sees. Each result of a tool is one more, so that the model also sees its call. */
const mostHistory = ({ settings }: ChatDependencies, { since = [] }: TurnRequest): number =>
  settings.maxMessages - 1 + since.filter(givesResults).length;

/**
 * Stores the question and marks the turn as running: one round trip. It takes more if the session is not hot, if another request
 * changes the session at the same time, if the turn begins a branch, or if a function died during an earlier turn. Returns `null`
 * when another attempt has begun the turn. Throws `not_found`, and `validation_failed` when the turn follows a message
 * that the session does not have.
 */
export async function openTurn(
  deps: ChatDependencies,
  request: TurnRequest,
  read: Window | null,
  { question, identity, answer, until }: Opening,
): Promise<OpenedTurn | null> {
  const { session, onStored } = request;
  let window = read;
  let isHistoryStored = false;
  let planned: number | undefined;
  return retryContended<OpenedTurn | null>(async () => {
    window ??= await makeHot(deps, request, identity, question.id);
    if (window) refuseIncognitoMismatch(request, window.record);
    const earlier = (!isHistoryStored && (window?.messages.length === 0 ? request.before : request.since)) || [];
    const paths = request.beforePaths?.slice(request.beforePaths.length - earlier.length);
    const check = (read: Window, before: readonly MessageInput[]) =>
      checkToolResults(
        deps,
        { ...request, before, beforePaths: paths },
        read,
        question,
        identity,
        historyLimit(deps, request),
      );
    let hasResults = window && (await check(window, earlier));
    if (window && earlier.length > 0) {
      const stores = hasResults ? unchangedSince(deps, window.record) : deps;
      window = null;
      try {
        await appendMessages(stores, session, earlier, identity, onStored, paths);
      } catch (error) {
        if (hasResults && error instanceof AppError && error.code === "conflict") return contended;
        throw error;
      }
      isHistoryStored = true;
      window = await readWindow(deps, request);
      hasResults = window && (await check(window, []));
    }
    if (!window) return contended;
    const { record } = window;
    if (isLaterThan(record, identity.at)) throw notFound();
    const now = deps.clock();
    const died = record.turns ? await collectDeadTurns(deps.turns, record, now, onStored) : [];
    const dead = died.filter((turn) => turn.answer !== answer);
    // `collectDeadTurns` may have stored an answer: read the messages again.
    if (dead.some(({ messages }) => messages === 2)) window = (await readWindow(deps, request)) ?? window;
    planned ??= window.tree.current;
    const place = await placeTurn(deps, request, window, { question, answer, planned });
    const placed = place.branch > 0 && !request.asked ? { ...question, branch: place.branch } : question;
    const isAgain = request.asked !== undefined;
    const named = isAgain ? [] : [{ message: placed, path: request.path ?? "" }];
    const joined = await deps.files.taking(session, record.generation, named);
    const outcome = await deps.turns.begin({
      ...place,
      ...(hasResults ? { isExact: true } : {}),
      record,
      question: placed,
      joined,
      answer,
      isAgain,
      now,
      until,
      dead,
    });
    if (outcome.kind === "stale") {
      if (request.isRepeated) throw stillRunning();
      window = null;
      return contended;
    }
    if (outcome.kind === "taken") return null;
    if (outcome.kind === "begun" && !isAgain) onStored?.({ messages: 1 });
    const branch = outcome.kind === "present" ? outcome.branch : place.branch;
    const tree = place.tree ?? window.tree;
    const read = await historyOf(deps, request, window, tree, branch);
    // An earlier attempt at this turn may have stored its question or its answer: they are not history.
    const earlierMessages = read.filter(({ id }) => id !== question.id && id !== answer);
    const head = place.tree ? headOf(place.tree, { ...placeOf(question), branch }) : {};
    const opened = outcome.kind === "begun" ? { ...record, ...head } : record;
    const history = steppedWindow(earlierMessages, record.message_count, mostHistory(deps, request));
    const skipped = Math.max(0, record.message_count - history.length);
    return { record: opened, history, branch, path: pathOf(tree, branch), skipped };
  });
}

/** Throws `conflict` when the session is incognito and the request says that it is not, or the reverse. */
function refuseIncognitoMismatch({ incognito }: TurnRequest, record: Pick<SessionRecord, "incognito">): void {
  if (incognito === undefined || incognito === (record.incognito ?? false)) return;
  const kind = incognito ? "not incognito" : "incognito";
  throw new AppError(
    "conflict",
    `incognito: the session exists and is ${kind}: leave incognito out, or name a new session`,
  );
}

/** Finds the branch of a turn, and the tree if it begins a new one. `planned`: the branch that was current when the request began. */
async function placeTurn(
  deps: ChatDependencies,
  { session, parent, asked }: TurnRequest,
  { record, tree, messages }: Window,
  { question, answer, planned }: Pick<Opening, "question" | "answer"> & { planned: number },
): Promise<Pick<BeginRequest, "branch" | "tree" | "isExact">> {
  const begun = record.turns?.[answer] ?? (asked ? undefined : messages.find(({ id }) => id === question.id));
  if (begun) return { branch: begun.branch ?? 0 };
  if (parent === undefined && !asked) {
    return { branch: branchFor(tree, planned, positionOf(question), record.head_at) };
  }
  const follows = asked ? asked.id : (parent ?? null);
  if (follows === (messages.at(-1)?.id ?? null)) return { branch: tree.current, isExact: true };
  const { locate } = hotMessages(deps.messages, session, record.generation, tree);
  const found = follows === null ? null : await locate(follows);
  if (follows !== null && !found) throw noSuchMessage(asked ? "regenerate" : "parent_id");
  const fork = forkAt(tree, found && placeOf(found));
  return { branch: fork.current, tree: fork, isExact: true };
}

/** The messages of a branch. Reads again only for another branch than the one that was read. */
async function historyOf(
  deps: ChatDependencies,
  request: TurnRequest,
  read: Window,
  tree: Tree,
  branch: number,
): Promise<MessageRecord[]> {
  if (branch === read.tree.current) return read.messages;
  const path = pathOf(tree, branch);
  const limit = historyLimit(deps, request);
  const { messages } = await deps.messages.range(request.session, read.record.generation, {
    order: "desc",
    limit,
    path,
  });
  return messages.toReversed();
}

/**
 * Creates or restores the session, and reads its window. `null`: the session was deleted at the same time, so the caller must try
 * again. Throws `not_found` when the session does not exist and the request does not create it.
 */
async function makeHot(
  deps: ChatDependencies,
  request: TurnRequest,
  identity: RequestIdentity,
  title_of: string,
): Promise<Window | null> {
  const { session, question, create, incognito, parent, asked, onStored } = request;
  let existed = false;
  // A turn that follows a message is refused when there is no session: a new session does not have that message.
  const isFollowing = asked !== undefined || typeof parent === "string";
  // Create first: a missing session is the most frequent reason for being here.
  if (create && !isFollowing) {
    const ttl = deps.settings.sessionTtlSeconds;
    try {
      const title = deps.settings.titleModel ? null : firstWords(question.content);
      const record = await createSession(
        deps,
        session.user,
        { id: session.id, title, title_of, incognito },
        identity,
        ttl,
        onStored,
      );
      // If the version is higher, an earlier attempt created the session, so it can have messages.
      if (record.version === 1) return { record, tree: LINEAR, messages: [] };
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "conflict") throw error;
      existed = true;
    }
  }
  const state = await readSession(deps, session);
  if (state.kind === "none") {
    if (existed) return null;
    throw create && !asked && isFollowing ? noSuchMessage("parent_id") : notFound();
  }
  if (state.kind !== "active") {
    // Only sessions that are not incognito have another state.
    refuseIncognitoMismatch(request, {});
    await restoreSession(deps, session);
  }
  return readWindow(deps, request);
}
