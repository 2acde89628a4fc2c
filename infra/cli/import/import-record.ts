import type { Clock } from "../../../shared/clock.ts";
import { chooseUser, type UserChoice } from "./choose-user.ts";
import { BadRecord } from "./conversation.ts";
import type { JoinedRecords } from "./formats/join-records.ts";
import { type Changes, checkTimes, type Plan, planSession } from "./plan-session.ts";
import type { Entry } from "./read/entry.ts";
import { Interrupted, Refused, type Send, Unreachable } from "./send/api-client.ts";
import { sendSession } from "./send/send-session.ts";

/** The result of importing one record. */
export type Outcome =
  | { kind: "imported" | "existing" | "resumed"; changes: Changes; branches: number; left: string[] }
  /** The records have nothing to import. */
  | { kind: "none"; left: string[] }
  | { kind: "bad"; reason: string }
  /** `cause` tells whether the server refused the request or did not answer. */
  | { kind: "failed"; reason: string; cause: Refused | Unreachable }
  | { kind: "interrupted" };

interface RecordOptions extends UserChoice {
  ttlSeconds?: number | undefined;
  clock: Clock;
  /** See `SendOptions`. */
  onStored: (messages: number, files: number) => void;
  /** Whether to plan only, and send nothing. */
  dryRun?: boolean | undefined;
}

/** The records of a conversation, and the files of the export that they are from. */
export interface RecordContent {
  content: JoinedRecords["content"];
  find: (name: string) => Entry | undefined;
}

/** Creates a function that imports a record. It can run for several records at the same time. It does not throw when a record fails. */
export function createRecordImporter(send: Send, options: RecordOptions): (record: RecordContent) => Promise<Outcome> {
  // The same session can be in two files: do not send both at the same time.
  const queue = createKeyedQueue();
  return async ({ content, find }) => {
    try {
      if ("problem" in content) return { kind: "bad", reason: content.problem };
      const left: string[] = [];
      const leaveOut = (what: string): void => void left.push(what);
      const user = chooseUser(content.records[0], options);
      const conversation = content.format.read(content.records, { find, leaveOut });
      if (!conversation) return { kind: "none", left };
      const plan = planSession(conversation, options.ttlSeconds, leaveOut);
      checkTimes(plan, options.clock());
      const key = JSON.stringify([user, plan.session.id]);
      const kind = options.dryRun ? count(plan, options) : await queue(key, () => store(plan, user));
      return { kind, changes: plan.changes, branches: plan.branches, left };
    } catch (error) {
      if (error instanceof BadRecord) return { kind: "bad", reason: error.message };
      // Recursive functions throw a RangeError when a value has too many levels.
      if (error instanceof RangeError) return { kind: "bad", reason: "nested too deeply" };
      if (error instanceof Interrupted) return { kind: "interrupted" };
      if (error instanceof Refused || error instanceof Unreachable) {
        return { kind: "failed", reason: error.message, cause: error };
      }
      throw error;
    }
  };

  function store(plan: Plan, user: string | undefined) {
    return sendSession(plan, { user, send, onStored: options.onStored });
  }
}

function count({ messages, files }: Plan, { onStored }: RecordOptions): "imported" {
  onStored(messages.length, files.size);
  return "imported";
}

/** Runs tasks with the same key one after the other, and tasks with different keys at the same time. */
function createKeyedQueue(): <T>(key: string, task: () => Promise<T>) => Promise<T> {
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
