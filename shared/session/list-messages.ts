import { type AppError, invalidInput } from "../errors.ts";
import type { MessageRecord, ShownMessage } from "./message.ts";
import { hotMessages, type MessageSource, openMessages, withParents } from "./message-source.ts";
import { isInPlace, lookAt, notFound, readSession } from "./read-session.ts";
import { contended, retryContended } from "./retry-contended.ts";
import { isExpired, type SessionId, type SessionState } from "./session.ts";
import type { MessageRange, RangeQuery, Stores } from "./store.ts";
import { type Path, pathOf, placeOf, wholeTree } from "./tree.ts";

interface MessageQuery extends Omit<RangeQuery, "path"> {
  /** `current`, `all`, or the id of the message at which the path ends. @default current */
  branch?: string;
  /** The branch to list as `current`, even if another branch has become current since the first page. */
  pinned?: number | undefined;
}

type Readable = Pick<Stores, "sessions" | "messages" | "archive" | "clock">;

interface MessagePage<M = MessageRecord> {
  messages: M[];
  /** Whether another page follows. */
  more: boolean;
  /** The branch that was listed as `current`. */
  branch: number;
}

/** Milliseconds before its expiry from which on a session may be archived while a request reads it. */
const CLOSE_TO_EXPIRY = 10_000;

/** Reads one page of messages with their parents, hot or archived. Throws `not_found`, and `validation_failed` for `branch`. */
export function listMessages(stores: Readable, session: SessionId, query: MessageQuery) {
  return readPage(stores, session, query, withParents);
}

/** Reads one page of messages without their parents. Throws the errors of `listMessages`. */
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
    return lookAt(stores, session, state, async () => {
      const source = await openMessages(stores, session, state);
      const range = await source.range({ ...query, path: await pathFor(source, query) });
      const page = {
        messages: await complete(source, range),
        more: range.more,
        branch: query.pinned ?? source.tree.current,
      };
      return isSafe(state, stores.clock()) || (await isInPlace(stores, session, state)) ? page : contended;
    });
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

/** The error for a field with the id of a message or an answer that the session does not have. */
export function noSuchMessage(path: string, kind: "message" | "answer" = "message"): AppError {
  return invalidInput({
    path,
    message: `is not the id of ${kind === "answer" ? "an answer" : "a message"} of this session`,
  });
}

/** Whether no other function can have moved the messages since `state` was read. A reader notices a replaced archive object itself. */
const isSafe = (state: SessionState, now: number): boolean =>
  state.kind === "archived" || (state.kind === "active" && !isExpired(state.record, now + CLOSE_TO_EXPIRY));
