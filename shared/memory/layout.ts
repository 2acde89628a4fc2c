import type { Clock } from "../clock.ts";
import type { Embedder, Space } from "./embedder.ts";
import type { Layout, MemoryMaintenance, MemoryReader } from "./memory-store.ts";

/** The embedder that makes vectors of a space. */
export type EmbedderOf = (space: Space) => Embedder;

/** Milliseconds for which a function keeps the layout, because otherwise all searches would read the same item. */
const FRESH = 5000;

/** Milliseconds after a change of slots in which searches may still use the old vectors: clocks differ, and a search takes time. */
export const UNTIL_UNUSED = 2 * FRESH;

/** Returns a function that reads the layout and keeps it for a while. */
export function createLayoutReader({
  memories,
  firstLayout,
  clock,
}: {
  memories: Pick<MemoryReader, "layout">;
  firstLayout: Layout;
  clock: Clock;
}): () => Promise<Layout> {
  let known: { layout: Layout; until: number } | undefined;
  return async () => {
    if (known && clock() < known.until) return known.layout;
    const layout = await memories.layout();
    if (!layout) return firstLayout;
    known = { layout, until: clock() + FRESH };
    return layout;
  };
}

/** Reads the layout, unless it was `read` already, and stores the first one before the first memory. */
export async function currentLayout(
  {
    memories,
    firstLayout,
  }: {
    memories: Pick<MemoryReader, "layout"> & Pick<MemoryMaintenance, "setLayout">;
    firstLayout: Layout;
  },
  read?: Layout | null,
): Promise<Layout> {
  const layout = read ?? (await memories.layout());
  if (layout) return layout;
  if (await memories.setLayout(null, firstLayout)) return firstLayout;
  return (await memories.layout()) ?? firstLayout;
}
