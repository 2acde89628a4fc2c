import { useState } from "preact/hooks";
import { MemoryItem } from "../memory/memory-item.tsx";
import { texts } from "../texts.ts";
import type { Message } from "../types.ts";
import { Drawer } from "../ui/drawer.tsx";

/** The memories that an answer was given, with their sources. */
export function WhyDrawer({ answer, onClose }: { answer: Message; onClose: () => void }) {
  const [gone, setGone] = useState<readonly string[]>([]);
  const memories = (answer.memories ?? []).filter(({ id }) => !gone.includes(id));
  return (
    <Drawer title={texts.why.title} onClose={onClose}>
      <p>{memories.length > 0 ? texts.why.some : answer.memories ? texts.why.none : texts.why.unknown}</p>
      <ul class="memories">
        {memories.map((memory) => (
          <MemoryItem
            key={memory.id}
            memory={memory}
            onTake={() => setGone([...gone, memory.id])}
            onPutBack={() => setGone(gone.filter((id) => id !== memory.id))}
          />
        ))}
      </ul>
    </Drawer>
  );
}
