import { mixedFnv1a } from "../hash.ts";
import { contended, retryContended } from "../session/retry-contended.ts";
import { isOn, pathOf } from "../session/tree.ts";
import { changeMemories, countedIn } from "./change-memories.ts";
import type { Embedder } from "./embedder.ts";
import { currentLayout } from "./layout.ts";
import { type Captured, type Draft, isOnPath, keyOf, type MemoryRecord, speakerOf } from "./memory.ts";
import {
  type Change,
  type Life,
  MAX_PER_CHANGE,
  type MemoryStore,
  type MemoryWriter,
  type NewMemory,
  type PrecedingMemory,
  type Slot,
  type Summary,
  type Vectors,
} from "./memory-store.ts";
import { contextOf, planMemories } from "./plan-memories.ts";
import type { RecallDependencies } from "./recall.ts";
import { withMemories } from "./statistics.ts";

/** Preceding memories of a session that are searched for an exact repeat. */
const RECENT = 10;

/** Characters of a digest: with ten of them, one memory in 170,000 looks like a repeat without being one. */
const DIGEST_LENGTH = 4;

export interface MemoryDependencies extends RecallDependencies {
  memories: MemoryStore;
}

interface Placed<T = MemoryRecord> {
  record: T;
  /** Terms of the preceding memory. */
  before: ReadonlyMap<string, number> | undefined;
}

/** A memory with the digests of those before it. */
type Digested = MemoryRecord & { digests: readonly string[] };

/**
 * Turns messages of one user into memories, and returns how many were stored. It may be repeated, and run beside other runs: each memory
 * is stored and counted once, and messages that were deleted or forgotten meanwhile, or are not on the current branch, are not stored, and
 * neither is what was said while the user had switched memory off.
 * Besides the messages that `planMemories` leaves out, it skips exact repeats of a recent message of the same speaker on the same branch.
 */
export async function remember(deps: MemoryDependencies, user: string, captured: readonly Captured[]): Promise<number> {
  let stored = 0;
  await retryContended(() => rememberAll(deps, user, captured, (count) => (stored += count)));
  return stored;
}

async function rememberAll(
  deps: MemoryDependencies,
  user: string,
  captured: readonly Captured[],
  onStored: (count: number) => void,
): Promise<typeof contended | undefined> {
  const { memories } = deps;
  // Most sessions were neither restored nor reset, so a message is of the session's first life, and what is stored of it is read at once.
  const guesses = captured.map(({ session, generation, message }) =>
    planMemories(session, generation, generation, message),
  );
  const sessions = captured.map(({ session }) => session);
  const { since, lives, summary, layout: read, present } = await memories.basisOf(user, sessions, guesses.flat());
  if (since === null) return undefined;
  const planned = captured.flatMap(({ session, generation, message }, n) => {
    const life = lives.get(session.id);
    if (!life || generation < life.generation || (life.tree && !isOn(pathOf(life.tree), message))) return [];
    return generation === life.generation
      ? (guesses[n] ?? [])
      : planMemories(session, life.generation, generation, message);
  });
  // The stream may deliver a message twice in a batch, and each restore writes it again with a newer generation. The store is sure to
  // accept the newest only.
  const byGeneration = planned
    .filter(({ arrived }) => arrived >= since)
    .toSorted((a, b) => a.generation - b.generation);
  const drafts = [...new Map(byGeneration.map((draft) => [draft.id, draft])).values()];
  const others = drafts.filter(({ session_id, generation }) => generation !== lives.get(session_id)?.generation);
  // A switch back to a branch remembers again what the switch away has just removed, so a late replica must not show that.
  const consistent = others.some(({ session_id }) => lives.get(session_id)?.tree);
  const restored = await memories.presentIds(others, { consistent });
  const missing = drafts.filter(({ id }) => !present.has(id) && !restored.has(id));
  if (missing.length === 0) return undefined;

  const placed = await place(memories, missing, lives);
  const layout = await currentLayout(deps, read);
  const slots = [layout, ...(layout.building ? [layout.building] : [])].map(({ slot, space }) => ({
    slot,
    embedder: deps.embedderOf(space),
  }));
  for (let start = 0; start < placed.length; start += MAX_PER_CHANGE) {
    const batch = placed.slice(start, start + MAX_PER_CHANGE);
    const vectors = await embedAll(batch, slots);
    const records = batch.map(({ record }, n) => ({ ...record, vectors: vectors[n] ?? {} }));
    const change = async (pending: readonly NewMemory[], newest: Summary): Promise<Change> => {
      const counted = countedIn(newest, pending);
      if (counted.length < pending.length) return refuseOthers(pending, counted);
      return memories.add(user, pending, lives, newest, withMemories(newest.statistics, pending, 1));
    };
    const stored = await changeMemories(memories, user, records, change, start === 0 ? summary : undefined);
    if (stored === contended) return contended;
    onStored(stored);
  }
  return undefined;
}

/** Refuses messages that were captured before everything was forgotten. */
const refuseOthers = (all: readonly MemoryRecord[], accepted: readonly MemoryRecord[]): Change => ({
  done: false,
  refused: new Set(all.filter((record) => !accepted.includes(record)).map(({ id }) => id)),
});

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

/** Sorts the memories of each session, numbers them, adds the terms that precede each, and drops repeats. */
async function place(
  memories: Pick<MemoryWriter, "preceding">,
  drafts: readonly Draft[],
  lives: ReadonlyMap<string, Life>,
): Promise<Placed<Digested>[]> {
  const sessions = Map.groupBy(drafts, ({ session_id }) => session_id);
  const placed = await Promise.all(
    [...sessions.values()].map(async (unsorted) => {
      const [first, ...rest] = unsorted.toSorted((a, b) => (a.id < b.id ? -1 : 1));
      if (!first) return [];
      const preceding = await precedingOf(memories, [first, ...rest], lives.get(first.session_id));
      const recent: (Draft & { turn?: number })[] = [...preceding];
      const digests = [...(preceding[0]?.digests ?? []), ...preceding.map(digestOf)];
      return [first, ...rest].flatMap((draft): Placed<Digested>[] => {
        if (recent.slice(-RECENT).some((other) => isRepeat(other, draft))) return [];
        const previous = recent.at(-1);
        const record = { ...draft, turn: (previous?.turn ?? 0) + 1, digests: digests.slice(-RECENT) };
        recent.push(record);
        digests.push(digestOf(record));
        return [{ record, before: previous?.counts }];
      });
    }),
  );
  return placed.flat();
}

/**
 * Reads the memories before those of a session, oldest first: the latest one, and ten if one of them may be repeated. Each memory names the
 * ten before it by digests, because reading those costs 14 read units: their vectors are read along.
 */
async function precedingOf(
  memories: Pick<MemoryWriter, "preceding">,
  [first, ...rest]: readonly [Draft, ...Draft[]],
  life: Life | undefined,
): Promise<PrecedingMemory[]> {
  // Memories of an earlier life or another branch will be deleted, so a message that equals one of them is not a repeat.
  const path = life?.tree && pathOf(life.tree);
  const isCurrent = (record: MemoryRecord) =>
    record.generation >= (life?.generation ?? 0) && (!path || isOnPath(path, record));
  const nearest = await memories.preceding(keyOf(first), 1);
  if (!nearest.more && nearest.records.length === 0) return [];
  const [latest] = nearest.records.filter(isCurrent);
  const named = latest?.digests;
  if (latest && named && ![first, ...rest].some((draft) => named.includes(digestOf(draft)))) return [latest];
  // One more, because the first of them may itself be stored already.
  const { records } = await memories.preceding(keyOf(first), RECENT + 1);
  return records.filter(isCurrent).slice(0, RECENT).reverse();
}

/** A short digest of what `isRepeat` compares. */
const digestOf = ({ role, name, branch, content }: Draft): string =>
  mixedFnv1a(JSON.stringify([role, name, branch, content]))
    .toString(36)
    .slice(-DIGEST_LENGTH);

const isRepeat = (a: Draft, b: Draft): boolean =>
  a.content === b.content && a.role === b.role && a.name === b.name && a.branch === b.branch && a.id !== b.id;
