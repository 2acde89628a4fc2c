import type { Clock } from "../../../shared/clock.ts";
import { BadRecord } from "./bad-record.ts";
import { chooseUser, type UserChoice } from "./choose-user.ts";
import { readConversation } from "./formats/read-conversation.ts";
import { createTurns } from "./in-turn.ts";
import { type Changes, checkTimes, planSession } from "./plan-session.ts";
import type { InputRecord } from "./read/read-records.ts";
import type { Send } from "./send/api-client.ts";
import { Interrupted, Refused, Unreachable } from "./send/errors.ts";
import { sendSession } from "./send/send-session.ts";

/** What became of a record. */
export type Outcome =
  | { kind: "imported" | "existing" | "resumed"; changes: Changes }
  | { kind: "bad"; reason: string }
  /** `cause` tells whether the server said no, and to what, or said nothing. */
  | { kind: "failed"; reason: string; cause: Refused | Unreachable }
  | { kind: "interrupted" };

export interface RecordOptions extends UserChoice {
  ttlSeconds?: number | undefined;
  clock: Clock;
  /** See `SendOptions`. */
  onStored: (messages: number) => void;
}

/** Makes what imports one record after the other, or several at once. Nothing is thrown for a record that fails. */
export function createRecordImporter(
  send: Send,
  options: RecordOptions,
): (content: InputRecord["content"]) => Promise<Outcome> {
  // A session that is in two files must not be sent twice at once.
  const inTurn = createTurns();
  return async (content) => {
    try {
      if ("problem" in content) return { kind: "bad", reason: content.problem };
      const user = chooseUser(content.value, options);
      const plan = planSession(readConversation(content.value), options.ttlSeconds);
      checkTimes(plan, options.clock());
      const key = JSON.stringify([user, plan.session.id]);
      const kind = await inTurn(key, () => sendSession(plan, { user, send, onStored: options.onStored }));
      return { kind, changes: plan.changes };
    } catch (error) {
      if (error instanceof BadRecord) return { kind: "bad", reason: error.message };
      if (error instanceof Interrupted) return { kind: "interrupted" };
      if (error instanceof Refused || error instanceof Unreachable) {
        return { kind: "failed", reason: error.message, cause: error };
      }
      throw error;
    }
  };
}
