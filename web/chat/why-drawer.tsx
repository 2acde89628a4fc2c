import { useCallback, useEffect, useState } from "preact/hooks";
import { type ApiError, asApiError } from "../api.ts";
import { useApp } from "../app-context.ts";
import { MemoryItem } from "../memory/memory-item.tsx";
import { texts } from "../texts.ts";
import type { Message, Remembered } from "../types.ts";
import { Drawer } from "../ui/drawer.tsx";
import { Failure } from "../ui/failure.tsx";

/** The memories that the model got for an answer, with their sources. An answer keeps only their ids, so deleted memories are not shown. */
export function WhyDrawer({ answer, onClose }: { answer: Message; onClose: () => void }) {
  const { api } = useApp();
  const [found, setFound] = useState<ReadonlyMap<string, Remembered>>();
  const [error, setError] = useState<ApiError>();
  const [gone, setGone] = useState<readonly string[]>([]);
  const { memory_ids = [] } = answer;
  const ids = memory_ids.join(",");
  const load = useCallback(() => {
    setFound(undefined);
    setError(undefined);
    if (ids === "") return;
    api.call("GET /v1/memories", { query: { ids } }).then(
      ({ data }) => setFound(new Map(data.map((memory) => [memory.id, memory]))),
      (error: unknown) => setError(asApiError(error)),
    );
  }, [api, ids]);
  useEffect(load, [load]);
  return (
    <Drawer title={texts.why.title} onClose={onClose}>
      <p>{ids === "" ? texts.why.none : texts.why.some}</p>
      {error && <Failure error={error} onAgain={load} />}
      {ids !== "" && !found && !error && (
        <div class="skeleton block" role="status" aria-busy="true" aria-label={texts.why.loading} />
      )}
      {found && (
        <ul class="memories">
          {memory_ids.map((id) => {
            const memory = gone.includes(id) ? undefined : found.get(id);
            return memory ? (
              <MemoryItem
                key={id}
                memory={memory}
                onTake={() => setGone((ids) => [...ids, id])}
                onPutBack={() => setGone((ids) => ids.filter((other) => other !== id))}
              />
            ) : (
              <li key={id} class="quiet">
                {texts.why.forgotten}
              </li>
            );
          })}
        </ul>
      )}
    </Drawer>
  );
}
