import type { Embedder, Space } from "./embedder.ts";
import type { Layout, MemoryStore } from "./store.ts";

/** The embedder that makes vectors of a space. */
export type EmbedderOf = (space: Space) => Embedder;

/** The layout of memories before any is stored. */
export const newLayout = (space: Space): Layout => ({ slot: "a", space });

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
