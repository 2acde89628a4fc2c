import { MAX_PAGE_BYTES, type MessageRecord, positionOf, sizeInAnswer } from "./message.ts";
import { hasLeftArchive, notFound, readSession } from "./read-session.ts";
import { contended, retryContended } from "./retry-contended.ts";
import { type ArchiveRef, isExpired, type SessionId, type SessionState } from "./session.ts";
import type { RangeQuery, Stores } from "./store.ts";

interface MessagePage {
  messages: MessageRecord[];
  /** Whether the next page, after the last of these, holds any. */
  more: boolean;
}

/** Milliseconds before its expiry from which on a session may be archived while it is being read. */
const CLOSE_TO_EXPIRY = 10_000;

/** A page of a session's messages, wherever they are. Throws `not_found`. */
export function listMessages(stores: Stores, session: SessionId, query: RangeQuery): Promise<MessagePage> {
  return retryContended(async () => {
    if (isNewest(query)) {
      const window = await stores.messages.window(session, query.limit);
      if (window.record?.status === "active" && !isExpired(window.record, stores.clock() + CLOSE_TO_EXPIRY)) {
        return window;
      }
    }
    const state = await readSession(stores, session);
    if (state.kind === "none") throw notFound();
    if (state.kind === "archived") return archivedPage(stores, session, state.record, query);
    const generation = state.kind === "limbo" ? state.anchor.live_generation : state.record.generation;
    const page = await stores.messages.range(session, generation, query);
    return isSafe(state, stores.clock()) || (await isStillHot(stores, session, generation)) ? page : contended;
  });
}

const isNewest = ({ order, after, from, to }: RangeQuery): boolean => order === "desc" && !after && !from && !to;

/** Whether nobody can have begun to archive the session when `state` was read. */
const isSafe = (state: SessionState, now: number): boolean =>
  state.kind === "active" && !isExpired(state.record, now + CLOSE_TO_EXPIRY);

/** Whether no message of this generation can have been deleted until now. */
async function isStillHot(stores: Stores, session: SessionId, generation: number): Promise<boolean> {
  const state = await readSession(stores, session);
  if (state.kind === "limbo") return state.anchor.live_generation === generation;
  return (state.kind === "active" || state.kind === "expired") && state.record.generation === generation;
}

async function archivedPage(
  stores: Stores,
  session: SessionId,
  { archive: ref }: { archive?: ArchiveRef },
  query: RangeQuery,
): Promise<MessagePage | typeof contended> {
  if (!ref) return { messages: [], more: false };
  try {
    return await readPage(stores, ref, query);
  } catch (error) {
    if (await hasLeftArchive(stores, session, ref, error)) return contended;
    throw error;
  }
}

/** Reads only the chunks that the page touches. */
async function readPage({ archive }: Stores, ref: ArchiveRef, query: RangeQuery): Promise<MessagePage> {
  const ascending = query.order === "asc";
  const low = [query.from, ascending ? query.after : undefined].filter(isPresent).sort().at(-1) ?? "";
  const high = [query.to, ascending ? undefined : query.after].filter(isPresent).sort()[0] ?? "~";
  const isWanted = (position: string) => position < high && position >= low && !(ascending && position === query.after);
  const chunks = ref.chunks
    .map((chunk, n) => ({ n, first: chunk.first, end: ref.chunks[n + 1]?.first ?? "~" }))
    .filter(({ first, end }) => first < high && end >= low);
  const messages: MessageRecord[] = [];
  let bytes = 0;
  for (const { n } of ascending ? chunks : chunks.reverse()) {
    const chunk = await archive.readChunk(ref, n);
    for (const message of ascending ? chunk : chunk.reverse()) {
      if (!isWanted(positionOf(message))) continue;
      bytes += sizeInAnswer(message);
      if (messages.length === query.limit || (messages.length > 0 && bytes > MAX_PAGE_BYTES)) {
        return { messages, more: true };
      }
      messages.push(message);
    }
  }
  return { messages, more: false };
}

const isPresent = (value: string | undefined): value is string => value !== undefined;
