import { positionOf } from "../session/message.ts";
import { openMessages } from "../session/message-source.ts";
import { lookAt, readSession } from "../session/read-session.ts";
import { contended, retryContended } from "../session/retry-contended.ts";
import type { SessionId } from "../session/session.ts";
import type { Stores } from "../session/store.ts";
import { pathOf } from "../session/tree.ts";
import { removeMemories } from "./forget.ts";
import type { MemoryRecord } from "./memory.ts";
import { type MemoryDependencies, remember } from "./remember.ts";

/** Messages that are read at a time. */
const PAGE = 100;

export interface FollowDependencies extends MemoryDependencies {
  stores: Pick<Stores, "sessions" | "messages" | "archive" | "clock">;
}

/** A change of the current branch of a session. */
export interface BranchChange {
  session: SessionId;
  /** ISO 8601: messages from this time on may have left the current branch, or come back to it. Empty = all messages. */
  since: string;
}

/**
 * Brings the memories of a session in line with its current branch: remembers the messages on it, and removes the memories of others.
 * It may be repeated, come late, and run beside other runs, because the store refuses a change that was decided by an older tree. A
 * forgotten memory does not come back.
 */
export function followBranch(deps: FollowDependencies, { session, since }: BranchChange): Promise<void> {
  const { memories, stores } = deps;
  return retryContended(async () => {
    // First the version of the tree, so that the store refuses a change after the tree has changed. Memories before messages, so that a
    // message that comes meanwhile keeps its memory.
    const life = (await memories.livesOf([session])).get(session.id);
    const state = await readSession(stores, session);
    if (!life || state.kind === "none") return;
    const remembered: MemoryRecord[] = [];
    for await (const { records } of memories.ofSession(session, since)) remembered.push(...records);
    const source = await openMessages(stores, session, state, life.tree);
    const path = pathOf(source.tree);
    const generation = state.kind === "limbo" ? state.anchor.live_generation : state.record.generation;
    const current = new Set<string>();
    let after: string | undefined;
    do {
      const query = { order: "asc", from: since || undefined, after, limit: PAGE, path } as const;
      const page = await lookAt(stores, session, state, () => source.range(query));
      if (page === contended) return contended;
      const { messages } = page;
      for (const { id } of messages) current.add(id);
      await remember(
        deps,
        session.user,
        messages.map((message) => ({ session, generation, message })),
      );
      const last = messages.at(-1);
      after = page.more && last ? positionOf(last) : undefined;
    } while (after !== undefined);

    const gone = remembered.filter((one) => one.created_at >= since && !current.has(one.message_id));
    return (await removeMemories(memories, session.user, gone, { life })) === contended ? contended : undefined;
  });
}
