import { toInstant } from "../clock.ts";
import { AppError } from "../errors.ts";
import { isAnswerOf, isQuestionOf, type MessageRecord, madePosition } from "./message.ts";
import { openMessages, withParents } from "./message-source.ts";
import { lookAt, notFound, readSession } from "./read-session.ts";
import { removeDeleted } from "./remove-deleted.ts";
import { restoreSession } from "./restore-session.ts";
import { contended, retryContended } from "./retry-contended.ts";
import { dueSoon, expiryOf, type SessionId, type SessionRecord } from "./session.ts";
import type { Stores } from "./store.ts";
import { cutAt, headOf, isOn, type Path, placeOf, wholeTree } from "./tree.ts";

/**
 * Deletes a message and all messages that follow it, on every branch, with their memories, their files and a title that was made from
 * them. An archived session is restored first. One write makes all of them invisible. If the function dies after that, the reconciler
 * or the archiver deletes what is still stored. Throws `not_found`.
 */
export async function deleteMessage(stores: Stores, session: SessionId, id: string): Promise<void> {
  const began = stores.clock();
  const { record, tree, gone } = await retryContended(async () => {
    const state = await readSession(stores, session, began);
    if (state.kind === "none") throw notFound();
    const found = await lookAt(stores, session, state, async () => {
      const source = await openMessages(stores, session, state);
      const message = await source.locate(id);
      if (!message) throw new AppError("not_found", "no such message");
      return { source, message };
    });
    if (found === contended) return contended;
    const { source, message } = found;
    if (state.kind !== "active") {
      await restoreSession(stores, session);
      return contended;
    }
    const { record } = state;
    const [shown] = await withParents(source, { messages: [message] });
    const parent = shown?.parent_id ? await source.locate(shown.parent_id) : null;
    const head = parent && placeOf(parent);
    const tree = cutAt(source.tree, placeOf(message), head);
    const after = wholeTree(tree);
    const visible = wholeTree(source.tree);
    const gone: MessageRecord[] = [];
    for await (const page of stores.messages.all(session, record.generation)) {
      gone.push(...page.filter((one) => isOn(visible, one) && !isOn(after, one)));
    }
    const now = stores.clock();
    const isCut = tree.current !== source.tree.current;
    // The question that the title was made from may not be stored. In this case, delete the title with the last message.
    const losesTitle = gone.some((one) => one.id === record.title_of) || (isCut && !head && record.title_of);
    const untitled = losesTitle ? { title: null, title_of: null } : {};
    const { head_id: _id, head_at: _at, ...rest } = record;
    const to: SessionRecord = {
      ...(isCut ? rest : record),
      ...(isCut ? headOf(tree, head) : { branch: tree.current }),
      ...withoutTurns(record, gone, after),
      ...untitled,
      updated_at: toInstant(now),
      expires_at: expiryOf(record, now),
      version: record.version + 1,
    };
    const done = await stores.sessions.transit(session, {
      from: record,
      to,
      anchor: { expect: {}, set: { ...untitled, cleanup: true, due_at: dueSoon(now) } },
      active: 0,
      tree,
    });
    return done ? { record: to, tree, gone } : contended;
  });
  await removeDeleted(stores, session, record.generation, tree, gone);
}

/** Returns the turns that continue, and the message count without the deleted messages. The other turns end without an answer. */
function withoutTurns(
  { turns = {}, message_count }: SessionRecord,
  gone: readonly MessageRecord[],
  after: Path,
): Pick<SessionRecord, "message_count" | "turns"> {
  const all = Object.entries(turns);
  const ended = all.filter(([answer, { branch }]) => madePosition(answer) > (after.get(branch) ?? ""));
  let count = message_count - gone.length;
  for (const [answer] of ended) {
    const questions = gone.filter((message) => isQuestionOf(message, answer));
    // One message of a running turn is not counted yet: its question, or one that was subtracted for a question asked again.
    count += questions.length === 0 ? 1 : questions.length;
    count += gone.filter((message) => isAnswerOf(message, answer)).length;
  }
  const left = all.filter((turn) => !ended.includes(turn));
  return { message_count: count, ...(all.length > 0 ? { turns: Object.fromEntries(left) } : {}) };
}
