import { shardOf, shards } from "../dynamodb/keys.ts";
import type { VectorPlace } from "../dynamodb/tables.ts";
import { AppError } from "../errors.ts";
import { readArchive } from "../session/archive.ts";
import type { MessageRecord } from "../session/message.ts";
import { readSession } from "../session/read-session.ts";
import type { SessionId } from "../session/session.ts";
import type { Stores } from "../session/store.ts";
import type { Space } from "./embedder.ts";
import { currentLayout, UNTIL_UNUSED } from "./layout.ts";
import type { MemoryRecord } from "./memory.ts";
import type { Layout, Progress, Slot } from "./memory-store.ts";
import { embedAll, type MemoryDependencies, remember } from "./remember.ts";

/** Memories that are embedded together. */
const BATCH = 64;

export interface ReembedDependencies extends MemoryDependencies {
  stores: Stores;
  /** The configured space of each slot. */
  wanted: Record<Slot, Space>;
}

export interface ReembedOptions {
  /** Rebuilds vectors although model and dimensions are as configured. @default false */
  force?: boolean | undefined;
  /** Changes to vectors of this number of dimensions, unless searches use such vectors already. */
  dimensions?: number | undefined;
}

/** Call again while the state is `building` or `clearing`. */
export interface ReembedResult {
  state: "current" | "building" | "clearing" | "done";
  slot: Slot;
  space: Space;
  progress?: Progress & { of: number };
}

/**
 * Rebuilds all memories from messages with another model or other dimensions: builds vectors in the unused slot, lets searches use it, and
 * removes the old vectors. Searches find everything meanwhile. A call continues where the last one stopped, until `deadline` (epoch ms),
 * and may repeat work without effect. Throws `bad_request` if the unused slot has no index of the requested dimensions.
 */
export async function reembed(
  deps: ReembedDependencies,
  deadline: number,
  { force = false, dimensions }: ReembedOptions = {},
): Promise<ReembedResult> {
  let layout = await currentLayout(deps);
  const { building } = layout;
  if (building && building.space.dimensions !== deps.wanted[building.slot].dimensions) {
    // A deployment has replaced the index that was being built, so begin again with the new one.
    layout = await move(deps, layout, { ...layout, building: newBuild(building.slot, deps.wanted[building.slot]) });
  }
  if (!layout.building && !layout.clearing) {
    const slot = otherThan(layout.slot);
    const hasOther = dimensions !== undefined && dimensions !== layout.space.dimensions;
    if (hasOther && dimensions !== deps.wanted[slot].dimensions) {
      const has = deps.wanted[slot].dimensions;
      throw new AppError(
        "bad_request",
        `the unused slot ${slot} has an index of ${has} dimensions: deploy one of ${dimensions} dimensions first`,
      );
    }
    if (!force && !hasOther && isSame(layout.space, deps.wanted[layout.slot])) return resultOf("current", layout);
    layout = await move(deps, layout, { ...layout, building: newBuild(slot, deps.wanted[slot]) });
  }
  if (layout.building) {
    const { slot, space, isCheck } = layout.building;
    const work = isCheck ? fillVectors : rebuild;
    const built = await pass(deps, layout, "building", deadline, (session) => work(deps, session, slot, space));
    if (!built.whole) return resultOf("building", built.layout);
    // A pass may miss a session that changes meanwhile. The last pass is the one that finds nothing to do.
    if (!isCheck || built.progress.vectors > 0) {
      const check = { slot, space, progress: nothing, isCheck: true };
      return resultOf("building", await move(deps, built.layout, { ...built.layout, building: check }), built.progress);
    }
    const clearing = { slot: otherThan(slot), progress: nothing, from: deps.clock() + UNTIL_UNUSED };
    layout = await move(deps, built.layout, { slot, space, clearing });
  }
  if (deps.clock() < (layout.clearing?.from ?? 0)) return resultOf("clearing", layout);
  const cleared = await pass(deps, layout, "clearing", deadline, (session) => clear(deps, layout, session));
  if (!cleared.whole) return resultOf("clearing", cleared.layout);
  const { slot, space } = cleared.layout;
  return resultOf("done", await move(deps, cleared.layout, { slot, space }));
}

const nothing: Progress = { shards: 0, sessions: 0, vectors: 0 };

const newBuild = (slot: Slot, space: Space) => ({ slot, space, progress: nothing, isCheck: false });

const isPlace =
  (slot: Slot, { dimensions }: Space) =>
  (place: VectorPlace): boolean =>
    place.slot === slot && place.dimensions === dimensions;

const otherThan = (slot: Slot): Slot => (slot === "a" ? "b" : "a");

const isSame = (a: Space, b: Space): boolean => a.model === b.model && a.dimensions === b.dimensions;

async function move({ memories }: ReembedDependencies, from: Layout, to: Layout): Promise<Layout> {
  if (await memories.setLayout(from, to)) return to;
  throw new Error("another run is re-embedding: wait until it has ended");
}

/** Visits all sessions, shard by shard, and stores its progress in the layout. */
async function pass(
  deps: ReembedDependencies,
  layout: Layout,
  phase: "building" | "clearing",
  deadline: number,
  work: (session: SessionId) => Promise<number>,
): Promise<{ whole: boolean; layout: Layout; progress: Progress }> {
  const started = layout[phase];
  if (!started) throw new Error(`no ${phase} is under way`);
  let current = layout;
  let progress = { ...started.progress };
  const save = async () => {
    current = await move(deps, current, { ...current, [phase]: { ...started, progress } });
  };
  for await (const sessions of deps.stores.sessions.all()) {
    for (const session of sessions) {
      const shard = shards.indexOf(shardOf(session.user, session.id));
      if (shard < progress.shards) continue;
      if (shard > progress.shards) {
        progress = { ...progress, shards: shard };
        await save();
      }
      if (deps.clock() > deadline) {
        await save();
        return { whole: false, layout: current, progress };
      }
      const vectors = await work(session);
      progress = { ...progress, sessions: progress.sessions + 1, vectors: progress.vectors + vectors };
    }
  }
  return { whole: true, layout: current, progress };
}

/** Remembers messages that are not remembered yet, and adds missing vectors of the slot. Returns how many were written. */
async function rebuild(deps: ReembedDependencies, session: SessionId, slot: Slot, space: Space): Promise<number> {
  let remembered = 0;
  for await (const { generation, messages } of messagesOf(deps.stores, session)) {
    const captured = messages.map((message) => ({ session, generation, message }));
    remembered += await remember(deps, session.user, captured);
  }
  return remembered + (await fillVectors(deps, session, slot, space));
}

/**
 * Adds missing vectors of the slot to the memories of a session, and removes vectors of other dimensions in this slot. Returns how many
 * were written.
 */
async function fillVectors(deps: ReembedDependencies, session: SessionId, slot: Slot, space: Space): Promise<number> {
  let written = 0;
  let before: MemoryRecord | undefined;
  for await (const { records } of deps.memories.ofSession(session)) {
    const missing: { record: MemoryRecord; before: MemoryRecord["counts"] | undefined; remove: VectorPlace[] }[] = [];
    for (const record of records) {
      if (!record.places.some(isPlace(slot, space))) {
        const remove = record.places.filter((place) => place.slot === slot);
        missing.push({ record, before: before?.counts, remove });
      }
      before = record;
    }
    for (let start = 0; start < missing.length; start += BATCH) {
      const batch = missing.slice(start, start + BATCH);
      const vectors = await embedAll(batch, [{ slot, embedder: deps.embedderOf(space) }]);
      await Promise.all(
        batch.map(({ record, remove }, n) => deps.memories.changeVectors(record, { set: vectors[n] ?? {}, remove })),
      );
      written += batch.length;
    }
  }
  return written;
}

/**
 * Removes all vectors of a session except those in use. First adds those in use to memories of functions that did not know the new slot
 * yet. Returns how many were written.
 */
async function clear(deps: ReembedDependencies, { slot, space }: Layout, session: SessionId): Promise<number> {
  const written = await fillVectors(deps, session, slot, space);
  const inUse = isPlace(slot, space);
  for await (const { records } of deps.memories.ofSession(session)) {
    await Promise.all(
      records.map((record) =>
        deps.memories.changeVectors(record, { remove: record.places.filter((place) => !inUse(place)) }),
      ),
    );
  }
  return written;
}

/** Yields the messages of a session, hot or archived, with their generation. */
async function* messagesOf(
  stores: Stores,
  session: SessionId,
): AsyncIterable<{ generation: number; messages: MessageRecord[] }> {
  const state = await readSession(stores, session);
  if (state.kind === "none") return;
  if (state.kind === "archived") {
    const { archive, generation } = state.record;
    if (!archive) return;
    for await (const messages of readArchive(stores.archive, archive)) yield { generation, messages };
    return;
  }
  const generation = state.kind === "limbo" ? state.anchor.live_generation : state.record.generation;
  for await (const messages of stores.messages.all(session, generation)) yield { generation, messages };
}

function resultOf(state: ReembedResult["state"], layout: Layout, progress?: Progress): ReembedResult {
  const { slot, space } = layout.building ?? layout;
  const far = progress ?? layout.building?.progress ?? layout.clearing?.progress;
  return { state, slot, space, ...(far ? { progress: { ...far, of: shards.length } } : {}) };
}
