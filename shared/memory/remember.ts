import { backOff, type Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { Embedder, Space } from "./embedder.ts";
import { currentLayout, type EmbedderOf } from "./layout.ts";
import { contextOf, planMemories } from "./plan-memories.ts";
import { type Captured, type Draft, type MemoryRecord, sessionOf, speakerOf } from "./record.ts";
import { withMemories } from "./statistics.ts";
import type { MemoryStore, Slot, Vectors } from "./store.ts";

/** Memories of a session that are looked at for an exact repeat. */
const RECENT = 10;

/** Attempts at a change that meets others of the same user. */
const MAX_ATTEMPTS = 12;

export interface MemoryDependencies {
  memories: MemoryStore;
  embedderOf: EmbedderOf;
  /** The space of a table in which nothing was remembered yet. */
  defaultSpace: Space;
  clock: Clock;
}

interface Placed {
  record: MemoryRecord;
  /** What was said right before. */
  before: ReadonlyMap<string, number> | undefined;
}

/**
 * Turns messages of one user into memories. It may run again, and beside other runs: each memory is stored and counted once, and
 * what was deleted or forgotten meanwhile is not stored. Not remembered, beside what `planMemories` leaves out: the exact repeat of one
 * of the last few things that the same speaker said in the same session.
 */
export async function remember(deps: MemoryDependencies, user: string, captured: readonly Captured[]): Promise<number> {
  const { memories } = deps;
  const lives = await memories.lives(captured.map(({ session }) => session));
  const planned = captured.flatMap(({ session, generation, message }) => {
    const life = lives.get(session.id);
    return life === undefined || generation < life ? [] : planMemories(session, life, generation, message);
  });
  // The stream may deliver a message twice in a batch. Each restore gives it to the stream again, under a newer generation, and
  // only the newest is sure to be accepted.
  const byGeneration = planned.toSorted((a, b) => a.generation - b.generation);
  const drafts = [...new Map(byGeneration.map((draft) => [draft.id, draft])).values()];
  const present = await memories.present(drafts);
  const missing = drafts.filter(({ id }) => !present.has(id));
  if (missing.length === 0) return 0;

  const placed = await place(memories, missing, lives);
  const layout = await currentLayout(deps);
  const slots = [layout, ...(layout.building ? [layout.building] : [])];
  let stored = 0;
  for (let start = 0; start < placed.length; start += memories.maxPerChange) {
    const batch = placed.slice(start, start + memories.maxPerChange);
    const vectors = await embedAll(
      batch,
      slots.map(({ slot, space }) => ({ slot, embedder: deps.embedderOf(space) })),
    );
    stored += await store(
      memories,
      user,
      batch.map(({ record }, n) => ({ record, vectors: vectors[n] ?? {} })),
    );
  }
  return stored;
}

/** Embeds memories for one or several slots. */
export async function embedAll(
  placed: readonly Placed[],
  slots: readonly { slot: Slot; embedder: Embedder }[],
): Promise<Vectors[]> {
  const passages = placed.map(({ record, before }) => ({
    text: `${contextOf(speakerOf(record), record.created_at)}: ${record.content}`,
    counts: record.counts,
    ...(before ? { before } : {}),
  }));
  const columns = await Promise.all(slots.map(({ embedder }) => embedder.embed(passages)));
  return placed.map((_, n) =>
    Object.fromEntries(
      slots.flatMap(({ slot }, column) => (columns[column]?.[n] ? [[slot, columns[column]?.[n]]] : [])),
    ),
  );
}

/** Orders the memories of each session, tells each its turn and what was said before it, and drops repeats. */
async function place(
  memories: MemoryStore,
  drafts: readonly Draft[],
  lives: ReadonlyMap<string, number>,
): Promise<Placed[]> {
  const sessions = Map.groupBy(drafts, ({ session_id }) => session_id);
  const placed = await Promise.all(
    [...sessions.values()].map(async (unsorted) => {
      const [first, ...rest] = unsorted.toSorted((a, b) => (a.id < b.id ? -1 : 1));
      if (!first) return [];
      // Memories of an earlier life are only waiting for their deletion: what they say is not a repeat.
      const life = lives.get(first.session_id) ?? 0;
      const recent: (Draft & { turn?: number })[] = (await memories.before(sessionOf(first), first.id, RECENT))
        .filter(({ generation }) => generation >= life)
        .reverse();
      return [first, ...rest].flatMap((draft): Placed[] => {
        if (recent.slice(-RECENT).some((other) => isRepeat(other, draft))) return [];
        const previous = recent.at(-1);
        const record = { ...draft, turn: (previous?.turn ?? 0) + 1 };
        recent.push(record);
        return [{ record, before: previous?.counts }];
      });
    }),
  );
  return placed.flat();
}

const isRepeat = (a: Draft, b: Draft): boolean =>
  a.content === b.content && a.role === b.role && a.name === b.name && a.id !== b.id;

async function store(
  memories: MemoryStore,
  user: string,
  batch: readonly { record: MemoryRecord; vectors: Vectors }[],
): Promise<number> {
  let pending = [...batch];
  for (let attempt = 0; pending.length > 0; attempt++) {
    if (attempt === MAX_ATTEMPTS) throw new AppError("unavailable", "too many changes of one user's memories at once");
    if (attempt > 0) await backOff(attempt);
    const summary = await memories.summary(user);
    pending = pending.filter(({ record }) => record.arrived >= summary.forgottenBefore);
    if (pending.length === 0) break;
    const counted = pending.map(({ record }) => ({ counts: record.counts, sign: 1 as const }));
    const change = await memories.add(user, pending, summary, withMemories(summary.statistics, counted));
    if (change.kind === "done") return pending.length;
    if (change.kind === "refused") pending = pending.filter(({ record }) => !change.ids.has(record.id));
  }
  return 0;
}
