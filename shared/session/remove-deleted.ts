import type { MessageRecord } from "./message.ts";
import type { SessionId } from "./session.ts";
import type { Stores } from "./store.ts";
import { isOn, type Tree, wholeTree } from "./tree.ts";

/** Deletes the stored messages that the tree says are deleted, with their memories and files. May be repeated. */
export async function removeDeleted(
  { messages, memories, files }: Pick<Stores, "messages" | "memories" | "files">,
  session: SessionId,
  generation: number,
  tree: Tree,
  known?: readonly MessageRecord[],
): Promise<void> {
  const whole = wholeTree(tree);
  const gone = [...(known ?? [])];
  if (!known) {
    for await (const page of messages.all(session, generation)) gone.push(...page.filter((one) => !isOn(whole, one)));
  }
  if (gone.length === 0) return;
  const ids = gone.map(({ id }) => id);
  await memories.forgetMessages(session, new Set(ids));
  await files.release(session, ids);
  await messages.remove(session, generation, gone);
}
