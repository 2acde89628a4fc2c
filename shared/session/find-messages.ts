import { AppError } from "../errors.ts";
import { prefetch } from "../prefetch.ts";
import { readMessages } from "./list-messages.ts";
import { type MessageRecord, positionOf } from "./message.ts";
import type { SessionId } from "./session.ts";
import type { Stores } from "./store.ts";

/** Number of different times whose messages are read in parallel. */
const PARALLEL = 8;

/** Finds messages by their positions, and returns them in that order, hot or archived. Throws `not_found` when one does not exist. */
export async function findMessages(
  stores: Stores,
  session: SessionId,
  positions: readonly string[],
): Promise<MessageRecord[]> {
  const found = new Map<string, MessageRecord>();
  const byInstant = Map.groupBy(positions, instantOf).values();
  for await (const messages of prefetch(byInstant, PARALLEL, (same) => findSimultaneous(stores, session, same))) {
    for (const message of messages) found.set(positionOf(message), message);
  }
  return positions.map((position) => {
    const message = found.get(position);
    if (!message)
      throw new AppError("not_found", "a message of the first request was deleted, so its answer cannot be repeated");
    return message;
  });
}

/** Finds messages that were created at the same time. */
async function findSimultaneous(
  stores: Stores,
  session: SessionId,
  positions: readonly string[],
): Promise<MessageRecord[]> {
  const missing = new Set(positions);
  const [from = ""] = positions.map(instantOf);
  const found: MessageRecord[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await readMessages(stores, session, {
      order: "asc",
      branch: "all",
      from,
      after,
      limit: positions.length,
    });
    found.push(...page.messages.filter((message) => missing.delete(positionOf(message))));
    const last = page.messages.at(-1);
    if (!last || !page.more || missing.size === 0 || last.created_at !== from) return found;
    after = positionOf(last);
  }
}

/** The time in a position, ISO 8601. */
const instantOf = (position: string): string => position.slice(0, position.indexOf("#"));
