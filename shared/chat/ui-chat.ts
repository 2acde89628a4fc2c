import { AppError } from "../errors.ts";
import { listMessages } from "../session/list-messages.ts";
import { type MessageRecord, positionOf, sizeInAnswer } from "../session/message.ts";
import type { SessionId } from "../session/session.ts";
import type { Stores } from "../session/store.ts";
import { toQuestion } from "./ask-again.ts";
import { toUiMessages, type UiMessage } from "./protocols/ui-message.ts";
import type { UiTurn } from "./protocols/ui-request.ts";
import type { Turn, TurnRequest } from "./turn.ts";

/** Bytes of messages in one chat: a Lambda function answers with 6 MB at most. */
const MAX_CHAT_BYTES = 4_000_000;

const PAGE = 100;

/** The URLs of those of these files that exist, by id. */
export type FileUrls = (user: string, ids: readonly string[]) => Promise<ReadonlyMap<string, string>>;

/** The current branch of a session as UI messages: the newest ones that fit into an answer. None if the session does not exist. */
export async function readUiChat(stores: Stores, session: SessionId, fileUrls: FileUrls): Promise<UiMessage[]> {
  const messages: MessageRecord[] = [];
  let bytes = 0;
  try {
    for await (const message of newestFirst(stores, session)) {
      bytes += sizeInAnswer(message);
      if (bytes > MAX_CHAT_BYTES) break;
      messages.unshift(message);
    }
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found") return [];
    throw error;
  }
  const ids = messages.flatMap(({ parts = [] }) =>
    parts.flatMap((part) => (part.type === "file" ? [part.file_id] : [])),
  );
  return toUiMessages(session.id, messages, ids.length > 0 ? await fileUrls(session.user, ids) : new Map());
}

/**
 * The message that a running answer continues, for a client that follows it: the earlier rounds of an answer with tools.
 * `undefined`: the answer begins a message.
 */
export async function continuedMessage(stores: Stores, { id, session }: Turn): Promise<UiMessage | undefined> {
  const rounds: MessageRecord[] = [];
  for await (const message of newestFirst(stores, session)) {
    if (message.id === id) continue;
    if (message.role !== "tool" && (message.role !== "assistant" || rounds[0]?.role !== "tool")) break;
    rounds.unshift(message);
  }
  return toUiMessages(session.id, rounds).at(-1);
}

/**
 * Finds the place of a UI request in the session. `{}` = the end of the current branch. The client keeps the id of a message that it edits, so an id is looked
 * for on the current branch only, which has the latest edit. A message that was never stored, because its turn was refused, is a new one.
 */
export async function placeUiTurn(
  stores: Stores,
  session: SessionId,
  { replaced, isRegenerated }: UiTurn,
): Promise<Pick<TurnRequest, "parent"> | Pick<TurnRequest, "question" | "asked">> {
  if (replaced === undefined) return {};
  let found = false;
  try {
    for await (const message of newestFirst(stores, session)) {
      if (found) return { parent: message.id };
      found = message.role === "user" && (message.client_id ?? message.id) === replaced;
      if (found && isRegenerated) return toQuestion(message);
    }
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "not_found") throw error;
  }
  return found ? { parent: null } : {};
}

async function* newestFirst(stores: Stores, session: SessionId): AsyncGenerator<MessageRecord> {
  let after: string | undefined;
  for (;;) {
    const { messages, more } = await listMessages(stores, session, { order: "desc", limit: PAGE, after });
    yield* messages;
    const last = messages.at(-1);
    if (!last || !more) return;
    after = positionOf(last);
  }
}
