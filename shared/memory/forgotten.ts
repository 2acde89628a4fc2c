import { mixedFnv1a } from "../hash.ts";
import type { MemoryRecord } from "./memory.ts";
import type { ForgottenSession, Summary } from "./memory-store.ts";

/**
 * Most memories and most sessions that a summary names as forgotten: more than an index lags behind, and few enough that the summary stays
 * below the 4 KB of one read unit.
 */
const MAX_NAMED = 10;

/** Milliseconds for which a summary names a forgotten session. By then its memories are deleted, or an alarm was raised. */
const NAMED_FOR = 86_400_000;

/** Whether a summary says that a memory, which an index may still hold, is forgotten. */
export function isForgotten(summary: Summary, { id, session_id, arrived, generation }: MemoryRecord): boolean {
  if (arrived < summary.forgottenBefore || summary.forgotten.includes(id)) return true;
  return generation < (summary.forgottenSessions[nameOf(session_id)]?.below ?? 0);
}

/** Whether the summary may have dropped forgotten sessions. Then the sessions themselves must be read. */
export function namesTooMany({ forgottenSessions }: Summary, now: number): boolean {
  return Object.values(forgottenSessions).filter((session) => isNamed(session, now)).length >= MAX_NAMED;
}

/** Names memories as forgotten. */
export function withForgottenMemories(summary: Summary, ids: readonly string[]): Summary {
  return {
    ...summary,
    forgotten: [...summary.forgotten, ...ids].slice(-MAX_NAMED),
  };
}

/** Names a session as forgotten. */
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

/** A short hash, because ids may be long and only a few must be distinguished. */
const nameOf = (session: string): string => mixedFnv1a(session).toString(36);
