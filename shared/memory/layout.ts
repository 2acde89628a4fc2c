import type { Clock } from "../clock.ts";
import type { Embedder, Space } from "./embedder.ts";
import type { Layout, MemoryStore } from "./store.ts";

/** The embedder that makes vectors of a space. */
export type EmbedderOf = (space: Space) => Embedder;

/** Milliseconds for which a function searches by the layout that it has read: all searches would read the same item. */
const FRESH = 5000;

/** Milliseconds after a change-over until which somebody may search the old vectors: clocks differ, and a search takes its time. */
export const UNTIL_UNUSED = 2 * FRESH;

/** The layout of memories before any is stored. */
const newLayout = (space: Space): Layout => ({ slot: "a", space });

/** Reads the layout, now and then. */
export function createLayoutReader({
  memories,
  defaultSpace,
  clock,
}: {
  memories: Pick<MemoryStore, "layout">;
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

/** Where vectors are, and of which models; settles it when nothing was remembered yet. */
export async function currentLayout({
  memories,
  defaultSpace,
}: {
  memories: Pick<MemoryStore, "layout" | "setLayout">;
  defaultSpace: Space;
}): Promise<Layout> {
  const layout = await memories.layout();
  if (layout) return layout;
  const first = newLayout(defaultSpace);
  if (await memories.setLayout(null, first)) return first;
  return (await memories.layout()) ?? first;
}
