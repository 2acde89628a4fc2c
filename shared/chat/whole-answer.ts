import type { MessageRecord } from "../session/message.ts";
import type { ChatStores } from "./finish-turn.ts";
import { storedAnswer } from "./follow-turn.ts";
import type { Turn } from "./turn.ts";

/** The answer of a turn, when it has ended: also one that broke off, with what there was of it. Throws what the turn fails with. */
export async function wholeAnswer(stores: ChatStores, turn: Turn): Promise<MessageRecord> {
  try {
    for await (const event of turn.events()) if (event.kind === "end") return event.message;
  } catch (error) {
    const stored = await storedAnswer(stores, turn.session, turn.id).catch(() => null);
    if (stored) return stored;
    throw error;
  }
  throw new Error("a turn ended without an end");
}
