import type { Clock } from "../../../shared/clock.ts";
import { chooseUser, type UserChoice } from "./choose-user.ts";
import { BadRecord } from "./conversation.ts";
import { readConversation } from "./formats/read-conversation.ts";
import { type Changes, checkTimes, planSession } from "./plan-session.ts";
import type { InputRecord } from "./read/read-records.ts";
import { Interrupted, Refused, type Send, Unreachable } from "./send/api-client.ts";
import { sendSession } from "./send/send-session.ts";

/** The result of importing one record. */
export type Outcome =
  | { kind: "imported" | "existing" | "resumed"; changes: Changes }
  | { kind: "bad"; reason: string }
  /** `cause` tells whether the server refused the request or did not answer. */
  | { kind: "failed"; reason: string; cause: Refused | Unreachable }
  | { kind: "interrupted" };

interface RecordOptions extends UserChoice {
  ttlSeconds?: number | undefined;
  clock: Clock;
  /** See `SendOptions`. */
  onStored: (messages: number) => void;
}

/** Creates a function that imports a record. It may run for several records at the same time, and does not throw when a record fails. */
export function createRecordImporter(
  send: Send,
  options: RecordOptions,
): (content: InputRecord["content"]) => Promise<Outcome> {
  // The same session may be in two files: send it once, then once more.
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

/** Runs tasks with the same key one after the other, and tasks with different keys at the same time. */
function createTurns(): <T>(key: string, task: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return async (key, task) => {
    const mine = (last.get(key) ?? Promise.resolve()).then(task, task);
    last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (last.get(key) === mine) last.delete(key);
    }
  };
}
