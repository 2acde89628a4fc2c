import type { Clock } from "../clock.ts";
import type { Embedder, Space } from "./embedder.ts";
import type { Layout, MemoryMaintenance, MemoryReader } from "./memory-store.ts";

/** The embedder that makes vectors of a space. */
export type EmbedderOf = (space: Space) => Embedder;

/** Milliseconds for which a function keeps the layout, because otherwise all searches would read the same item. */
const FRESH = 5000;

/** Milliseconds after a change of slots in which searches may still use the old vectors: clocks differ, and a search takes time. */
export const UNTIL_UNUSED = 2 * FRESH;

/** The layout before the first memory. */
const newLayout = (space: Space): Layout => ({ slot: "a", space });

/** Returns a function that reads the layout and keeps it for a while. */
export function createLayoutReader({
  memories,
  defaultSpace,
  clock,
}: {
  memories: Pick<MemoryReader, "layout">;
  defaultSpace: Space;
  clock: Clock;
}): () => Promise<Layout> {
  let known: { layout: Layout; until: number } | undefined;
  return async () => {
    if (known && clock() < known.until) return known.layout;
    const layout = await memories.layout();
    if (!layout) return newLayout(defaultSpace);
    known = { layout, until: clock() + FRESH };
    return layout;
  };
}

/** Reads the layout, and stores the default one before the first memory. */
export async function currentLayout({
  memories,
  defaultSpace,
}: {
  memories: Pick<MemoryReader, "layout"> & Pick<MemoryMaintenance, "setLayout">;
  defaultSpace: Space;
}): Promise<Layout> {
  const layout = await memories.layout();
  if (layout) return layout;
  const first = newLayout(defaultSpace);
  if (await memories.setLayout(null, first)) return first;
  return (await memories.layout()) ?? first;
}
