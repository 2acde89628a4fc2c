import { mixedFnv1a } from "../hash.ts";
import type { MemoryRecord } from "./memory.ts";
import type { ForgottenSession, Summary } from "./memory-store.ts";

/**
 * How many memories and how many sessions a summary names as forgotten: more than an index takes in at a time, and few enough
 * for it to stay below the 4 KB that one read unit pays for.
 */
const MAX_NAMED = 10;

/** Milliseconds for which a forgotten session is named: by then its memories are deleted, or somebody was paged. */
const NAMED_FOR = 86_400_000;

/** Whether a memory that an index still holds is forgotten, as far as the summary knows. */
export function isForgotten(summary: Summary, { id, session_id, arrived, generation }: MemoryRecord): boolean {
  if (arrived < summary.forgottenBefore || summary.forgotten.includes(id)) return true;
  return generation < (summary.forgottenSessions[nameOf(session_id)]?.below ?? 0);
}

/** Whether more sessions may have been forgotten than the summary names: then only the sessions themselves know. */
export const namesTooMany = ({ forgottenSessions }: Summary, now: number): boolean =>
  Object.values(forgottenSessions).filter((session) => isNamed(session, now)).length >= MAX_NAMED;

/** The summary with these memories named. */
export const withForgottenMemories = (summary: Summary, ids: readonly string[]): Summary => ({
  ...summary,
  forgotten: [...summary.forgotten, ...ids].slice(-MAX_NAMED),
});

/** The summary with one more session named, or named again. */
export function withForgottenSession(summary: Summary, session: string, forgotten: ForgottenSession): Summary {
  const name = nameOf(session);
  const others = Object.entries(summary.forgottenSessions).filter(
    ([other, named]) => other !== name && isNamed(named, forgotten.at),
  );
  const latest = others.sort(([, a], [, b]) => b.at - a.at).slice(0, MAX_NAMED - 1);
  const below = Math.max(forgotten.below, summary.forgottenSessions[name]?.below ?? 0);
  return { ...summary, forgottenSessions: Object.fromEntries([...latest, [name, { at: forgotten.at, below }]]) };
}

const isNamed = ({ at }: ForgottenSession, now: number): boolean => now - at < NAMED_FOR;

/** Ids may be long, and only a few are to be told apart. */
const nameOf = (session: string): string => mixedFnv1a(session).toString(36);
