import { toInstant } from "../clock.ts";
import { readArchive } from "./archive.ts";
import { lookAt } from "./read-session.ts";
import { contended } from "./retry-contended.ts";
import { dueAfter, dueSoon, expiryOf, type SessionId, type SessionRecord } from "./session.ts";
import type { Stores } from "./store.ts";

/**
 * Gives a session a new generation of messages: the archived messages, or none. It writes the new generation while the old one is valid.
 * The change of the header makes the new one valid. After that, it deletes the old generation and the archive object. An interrupted run
 * leaves invisible messages, which the reconciler deletes.
 */
export async function renewSession(
  stores: Stores,
  session: SessionId,
  from: SessionRecord,
  messages: "keep" | "drop",
): Promise<SessionRecord | typeof contended> {
  const { sessions, memories, files, archive } = stores;
  const next = await sessions.nextGeneration(session, from.generation, dueSoon(stores.clock()));
  if (!next) return contended;
  const { generation } = next;
  const isCopied = messages === "drop" || (await copyArchive(stores, session, from, generation));
  const now = stores.clock();
  const { archive: ref, archived_at: _archivedAt, open_append: _openAppend, turns: _turns, ...kept } = from;
  const { branch: _branch, head_id: _headId, head_at: _headAt, ...empty } = kept;
  // Delete a title that was made from the messages together with them.
  const untitled = from.title_of ? { title: null, title_of: null } : {};
  const to: SessionRecord = {
    ...(messages === "keep" ? kept : { ...empty, ...untitled }),
    status: "active",
    updated_at: toInstant(now),
    expires_at: expiryOf(from, now),
    message_count: messages === "keep" ? from.message_count : 0,
    version: from.version + 1,
    generation,
  };
  const tree = messages === "keep" ? ref?.tree : undefined;
  const done =
    isCopied &&
    (await sessions.transit(session, {
      from,
      to,
      anchor: {
        expect: { newest: generation },
        set: {
          state: "active",
          live_generation: generation,
          ...(messages === "drop" ? { reset_generation: generation, ...untitled } : {}),
          due_at: dueSoon(now),
          cleanup: true,
        },
      },
      active: from.status === "archived" ? 1 : 0,
      ...(tree ? { tree } : {}),
      ...(messages === "drop" ? { joined: [await memories.hide(session, generation, now)] } : {}),
    }));
  if (done && messages === "drop") {
    await memories.forget(session, generation);
    await files.forget(session, generation);
  }
  await stores.messages.clear(session, (other) => (done ? other >= generation : other !== generation));
  if (!done) return contended;
  if (ref) await archive.remove(from, ref.etag);
  // If an earlier run left something, keep the reconciler's early check.
  const seen = { generation, tree_version: (next.tree_version ?? 0) + (tree ? 1 : 0) };
  if (!next.cleanup) await sessions.schedule(session, dueAfter(to, now), seen);
  return to;
}

/** Copies the archived messages to a generation. False when another request has restored or deleted the session meanwhile. */
async function copyArchive(
  stores: Stores,
  session: SessionId,
  from: SessionRecord,
  generation: number,
): Promise<boolean> {
  const { archive: ref } = from;
  if (!ref) return true;
  const copied = await lookAt(stores, session, { kind: "archived", record: from }, async () => {
    for await (const chunk of readArchive(stores.archive, ref)) await stores.messages.put(session, generation, chunk);
  });
  return copied !== contended;
}
