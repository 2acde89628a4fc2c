import type { Changes } from "./plan-session.ts";

/** Problems that a summary lists; all of them are counted and reported as they come. */
export const MAX_LISTED = 1000;

/** A record that was not imported, and why. */
export interface Problem {
  kind: "bad" | "failed";
  file: string;
  /** Line or number of the conversation in the file. */
  place: string;
  /** The conversation's id, if it could be read. */
  id?: string;
  reason: string;
}

/** What an import did. The first six count conversations. */
export interface Summary {
  imported: number;
  /** Whole in the store already, and not touched. */
  existing: number;
  /** Begun by an earlier run and completed now. */
  resumed: number;
  /** Skipped: the record itself is wrong. */
  bad: number;
  /** Not, or not wholly, stored for reasons of the server or the network. */
  failed: number;
  /** Left as they were when the run was stopped. */
  interrupted: number;
  /** Messages stored by this run. */
  messages: number;
  changes: Changes;
  /** Bytes of input read. */
  read: number;
  /** Bytes of input in all. */
  total: number;
  seconds: number;
  /** Why the run ended before the input did; `null` when it did not. */
  stopped: string | null;
  problems: Problem[];
}

export function emptySummary(total: number): Summary {
  return {
    imported: 0,
    existing: 0,
    resumed: 0,
    bad: 0,
    failed: 0,
    interrupted: 0,
    messages: 0,
    changes: { moved: 0, renamed: 0, mended: 0 },
    read: 0,
    total,
    seconds: 0,
    stopped: null,
    problems: [],
  };
}

/** Conversations that the run has dealt with. */
export const countSessions = ({ imported, existing, resumed }: Summary): number => imported + existing + resumed;

/** Whether everything that the input holds is in the store now. */
export const isComplete = ({ bad, failed, stopped }: Summary): boolean => bad === 0 && failed === 0 && stopped === null;
