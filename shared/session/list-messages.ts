import { AppError } from "../errors.ts";
import type { MessageRecord, ShownMessage } from "./message.ts";
import { hotMessages, type MessageSource, openMessages, withParents } from "./message-source.ts";
import { hasLeftArchive, notFound, readSession } from "./read-session.ts";
import { contended, retryContended } from "./retry-contended.ts";
import { isExpired, type SessionId, type SessionState } from "./session.ts";
import type { MessageRange, RangeQuery, Stores } from "./store.ts";
import { type Path, pathOf, placeOf, wholeTree } from "./tree.ts";

interface MessageQuery extends Omit<RangeQuery, "path"> {
  /** `current`, `all`, or the id of the message at which the path ends. @default current */
  branch?: string;
  /** The branch that is listed as `current`, whatever has become current since. */
  pinned?: number | undefined;
}

type Readable = Pick<Stores, "sessions" | "messages" | "archive" | "clock">;

interface MessagePage<M = MessageRecord> {
  messages: M[];
  /** Whether the next page, after the last of these, holds any. */
  more: boolean;
  /** The branch that was the current one, unless another was asked for. */
  branch: number;
}

/** Milliseconds before its expiry from which on a session may be archived while it is being read. */
const CLOSE_TO_EXPIRY = 10_000;

/** A page of a session's messages with their parents, wherever they are. Throws `not_found`, and `validation_failed` for `branch`. */
export function listMessages(stores: Readable, session: SessionId, query: MessageQuery) {
  return readPage(stores, session, query, withParents);
}

/** A page of a session's messages. Throws as `listMessages` does. */
export function readMessages(stores: Readable, session: SessionId, query: MessageQuery) {
  return readPage(stores, session, query, async (_source, { messages }) => messages);
}

function readPage<M extends MessageRecord | ShownMessage>(
  stores: Readable,
  session: SessionId,
  query: MessageQuery,
  complete: (source: MessageSource, range: MessageRange) => Promise<M[]>,
): Promise<MessagePage<M>> {
  const { messages } = stores;
  return retryContended(async () => {
    if (isNewest(query)) {
      const { record, tree, ...range } = await messages.window(session, query.limit);
      if (record?.status === "active" && !isExpired(record, stores.clock() + CLOSE_TO_EXPIRY)) {
        const source = hotMessages(messages, session, record.generation, tree);
        return { messages: await complete(source, range), more: range.more, branch: tree.current };
      }
    }
    const state = await readSession(stores, session);
    if (state.kind === "none") throw notFound();
    try {
      const source = await openMessages(stores, session, state);
      const range = await source.range({ ...query, path: await pathFor(source, query) });
      const page = {
        messages: await complete(source, range),
        more: range.more,
        branch: query.pinned ?? source.tree.current,
      };
      return isSafe(state, stores.clock()) || (await isStillHot(stores, session, state)) ? page : contended;
    } catch (error) {
      if (state.kind !== "archived" || !state.record.archive) throw error;
      if (await hasLeftArchive(stores, session, state.record.archive, error)) return contended;
      throw error;
    }
  });
}

const isNewest = ({ order, after, from, to, branch = "current" }: MessageQuery): boolean =>
  order === "desc" && branch === "current" && !after && !from && !to;

async function pathFor(source: MessageSource, { branch = "current", pinned }: MessageQuery): Promise<Path> {
  if (branch === "all") return wholeTree(source.tree);
  if (branch === "current") return pathOf(source.tree, pinned);
  const end = await source.locate(branch);
  if (!end) throw noSuchMessage("branch");
  return pathOf(source.tree, placeOf(end).branch, placeOf(end).position);
}

/** The refusal of a field that names a message which the session does not have. */
export function noSuchMessage(path: string): AppError {
  return new AppError("validation_failed", `${path}: names no message of this session`, {
    fields: [{ path, message: "names no message of this session" }],
  });
}

/** Whether nobody can have begun to move the messages when `state` was read: an object in the archive is read whole or not at all. */
const isSafe = (state: SessionState, now: number): boolean =>
  state.kind === "archived" || (state.kind === "active" && !isExpired(state.record, now + CLOSE_TO_EXPIRY));

/** Whether no message of the generation that was read can have been deleted until now. */
async function isStillHot(
  stores: Readable,
  session: SessionId,
  read: Exclude<SessionState, { kind: "none" }>,
): Promise<boolean> {
  const generation = read.kind === "limbo" ? read.anchor.live_generation : read.record.generation;
  const state = await readSession(stores, session);
  if (state.kind === "limbo") return state.anchor.live_generation === generation;
  return (state.kind === "active" || state.kind === "expired") && state.record.generation === generation;
}
