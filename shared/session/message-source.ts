import { type Archive, readArchive } from "./archive.ts";
import { createPage, type MessageRecord, positionOf, type ShownMessage } from "./message.ts";
import type { ArchiveRef, SessionId, SessionState } from "./session.ts";
import type { MessageRange, RangeQuery, Stores } from "./store.ts";
import { isOn, LINEAR, type Path, placeOf, type Tree, wholeTree } from "./tree.ts";

/** Reads the messages of a session from the table or from the archive. */
export interface MessageSource {
  tree: Tree;
  range(query: RangeQuery): Promise<MessageRange>;
  /** Finds a message that was not deleted, on any branch. */
  locate(id: string): Promise<MessageRecord | null>;
}

/**
 * Opens the messages of an existing session.
 * @param known its tree, if the caller has read it
 */
export async function openMessages(
  { messages, archive }: Pick<Stores, "messages" | "archive">,
  session: SessionId,
  state: Exclude<SessionState, { kind: "none" }>,
  known?: Tree,
): Promise<MessageSource> {
  if (state.kind === "archived") return archivedMessages(archive, state.record.archive);
  const generation = state.kind === "limbo" ? state.anchor.live_generation : state.record.generation;
  const isBranched = state.kind === "limbo" || state.record.branch !== undefined;
  const tree = known ?? (isBranched ? await messages.tree(session, generation) : LINEAR);
  return hotMessages(messages, session, generation, tree);
}

export function hotMessages(
  messages: Stores["messages"],
  session: SessionId,
  generation: number,
  tree: Tree,
): MessageSource {
  return {
    tree,
    range: (query) => messages.range(session, generation, query),
    async locate(id) {
      const found = await messages.locate(session, generation, id);
      return found && isOn(wholeTree(tree), found) ? found : null;
    },
  };
}

function archivedMessages(archive: Archive, ref: ArchiveRef | undefined): MessageSource {
  return {
    tree: ref?.tree ?? LINEAR,
    range: async (query) => (ref ? readRange(archive, ref, query) : { messages: [], more: false, before: null }),
    async locate(id) {
      if (!ref) return null;
      for await (const chunk of readArchive(archive, ref)) {
        const found = chunk.find((message) => message.id === id);
        if (found) return found;
      }
      return null;
    },
  };
}

/** Reads a range from the archive, and only the chunks that contain it. */
async function readRange(archive: Archive, ref: ArchiveRef, query: RangeQuery): Promise<MessageRange> {
  const ascending = query.order === "asc";
  const low = [query.from, ascending ? query.after : undefined].filter(isPresent).sort().at(-1) ?? "";
  const high = [query.to, ascending ? undefined : query.after].filter(isPresent).sort()[0] ?? "~";
  const isWanted = (position: string) => position < high && position >= low;
  const chunks = ref.chunks
    .map((chunk, n) => ({ n, first: chunk.first, end: ref.chunks[n + 1]?.first ?? "~" }))
    .filter(({ first, end }) => first < high && end >= low);
  const page = createPage(query.limit);
  const { messages } = page;
  let before: MessageRecord | null | undefined = low === "" && ascending ? null : undefined;
  for (const { n } of ascending ? chunks : chunks.reverse()) {
    const chunk = await archive.readChunk(ref, n);
    for (const message of ascending ? chunk : chunk.reverse()) {
      if (!isWanted(positionOf(message)) || !isOn(query.path, message)) continue;
      if (ascending && positionOf(message) === query.after) {
        before = message;
        continue;
      }
      if (!page.add(message)) return { messages, more: true, before: ascending ? before : message };
    }
  }
  return { messages, more: false, before: ascending || low !== "" ? before : null };
}

const isPresent = (value: string | undefined): value is string => value !== undefined;

/** Adds to each message of a range the id of its parent. Reads more messages only if the range does not contain the parent. */
export async function withParents(
  { tree, range }: MessageSource,
  {
    messages,
    before,
  }: Pick<MessageRange, "messages"> & { before?: Pick<MessageRecord, "id" | "branch"> | null | undefined },
): Promise<ShownMessage[]> {
  const ordered = messages.toSorted((a, b) => (positionOf(a) < positionOf(b) ? -1 : 1));
  const start = ordered[0] ? positionOf(ordered[0]) : "";
  const last = new Map<number, string>();
  if (before) last.set(before.branch ?? 0, before.id);
  const parents = new Map<string, string | null>();
  for (const message of ordered) {
    const { branch } = placeOf(message);
    parents.set(message.id, last.get(branch) ?? (await parentOf(message, branch)));
    last.set(branch, message.id);
  }
  return messages.map((message) => ({ ...message, parent_id: parents.get(message.id) ?? null }));

  async function parentOf(message: MessageRecord, branch: number): Promise<string | null> {
    const { parent_id } = message as Partial<ShownMessage>;
    if (parent_id !== undefined) return parent_id;
    const { from } = tree.branches[branch] ?? {};
    const forked = from?.id ?? null;
    if (before === null || (from && (from.position >= start || from.id === before?.id))) return forked;
    const path: Path = new Map([[branch, positionOf(message)]]);
    const found = await range({ order: "desc", after: positionOf(message), limit: 1, path });
    return found.messages[0]?.id ?? forked;
  }
}
