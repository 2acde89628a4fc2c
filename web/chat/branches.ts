import type { Message } from "../types.ts";

/** The versions of a message: the messages that follow the same one, oldest first. One = it was never edited or asked for again. */
export function siblingsIn(all: readonly Message[], { parent_id, role }: Message): Message[] {
  if (parent_id === undefined) return [];
  return all.filter((other) => other.parent_id === parent_id && other.role === role);
}

/** The newest message that follows another one: what was shown last of its branch. */
export function newestBelow(all: readonly Message[], from: Message): Message {
  const below = new Set([from.id]);
  let newest = from;
  // A message is stored after the one that it follows.
  for (const message of all) {
    if (!message.parent_id || !below.has(message.parent_id)) continue;
    below.add(message.id);
    newest = message;
  }
  return newest;
}
