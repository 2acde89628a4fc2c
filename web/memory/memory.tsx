import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, asApiError } from "../api.ts";
import { useApp } from "../app-context.ts";
import { texts } from "../texts.ts";
import type { Remembered } from "../types.ts";
import { Confirm } from "../ui/dialog.tsx";
import { Failure } from "../ui/failure.tsx";
import { TopBar } from "../ui/top-bar.tsx";
import { MemoryItem } from "./memory-item.tsx";

/** Memories per page of the list, and per search. */
const PAGE = 30;

interface Found {
  memories: Remembered[];
  /** The query of the search; empty = all memories, newest first. */
  query: string;
  cursor: string | null;
}

/** The view of memories: search, list, forget. */
export function Memory({ onOpenSidebar }: { onOpenSidebar: () => void }) {
  const { api, notify } = useApp();
  const [found, setFound] = useState<Found>();
  const [failure, setFailure] = useState<{ error: ApiError; again: () => void }>();
  const [hidden, setHidden] = useState<readonly string[]>([]);
  const [isAsking, setAsking] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  /** Number of requests. A late answer to an older request must not replace the result of a newer one. */
  const count = useRef(0);
  const { memory } = texts;

  const show = useCallback(
    async (query: string, before?: Found) => {
      const request = ++count.current;
      const finish = (next: Found) => request === count.current && setFound(next);
      setFailure(undefined);
      try {
        if (query !== "") {
          const { data } = await api.call("POST /v1/memories/search", { body: { query, limit: PAGE } });
          return finish({ memories: data, query, cursor: null });
        }
        const cursor = before?.cursor;
        const page = await api.call("GET /v1/memories", { query: { limit: PAGE, ...(cursor && { cursor }) } });
        finish({ memories: [...(before?.memories ?? []), ...page.data], query, cursor: page.next_cursor });
      } catch (error) {
        if (request !== count.current) return;
        setFailure({ error: asApiError(error), again: () => void show(query, before) });
      }
    },
    [api],
  );
  useEffect(() => {
    document.title = `${memory.title} · ${texts.name}`;
    void show("");
  }, [show, memory.title]);

  const forgetAll = async () => {
    setAsking(false);
    try {
      await api.call("DELETE /v1/memories", {});
      count.current++;
      if (field.current) field.current.value = "";
      setFailure(undefined);
      setFound({ memories: [], query: "", cursor: null });
      notify({ text: memory.allForgotten });
    } catch (error) {
      setFailure({ error: asApiError(error), again: () => void forgetAll() });
    }
  };
  const shown = found?.memories.filter(({ id }) => !hidden.includes(id)) ?? [];

  return (
    <div class="view">
      <TopBar title={memory.title} onOpenSidebar={onOpenSidebar}>
        <button type="button" class="danger" onClick={() => setAsking(true)}>
          {memory.forgetAll}
        </button>
      </TopBar>
      <div class="page">
        <p class="quiet">{memory.intro}</p>
        <search>
          <form
            class="row"
            onSubmit={(event) => {
              event.preventDefault();
              void show(field.current?.value.trim() ?? "");
            }}
          >
            <input
              ref={field}
              type="search"
              class="grow"
              aria-label={memory.search}
              placeholder={memory.search}
              maxLength={2000}
            />
            <button type="submit">{memory.submit}</button>
            {found?.query && (
              <button
                type="button"
                onClick={() => {
                  if (field.current) field.current.value = "";
                  void show("");
                }}
              >
                {memory.clear}
              </button>
            )}
          </form>
        </search>
        {failure && <Failure error={failure.error} onAgain={failure.again} />}
        {!found && !failure && (
          <div class="skeleton block" role="status" aria-busy="true" aria-label={memory.loading} />
        )}
        {found && shown.length === 0 && <p class="empty">{found.query ? memory.noMatch : memory.empty}</p>}
        <ul class="memories">
          {shown.map((one) => (
            <MemoryItem
              key={one.id}
              memory={one}
              onTake={() => setHidden((ids) => [...ids, one.id])}
              onPutBack={() => setHidden((ids) => ids.filter((id) => id !== one.id))}
            />
          ))}
        </ul>
        {found?.cursor && (
          <button type="button" onClick={() => void show("", found)}>
            {memory.more}
          </button>
        )}
      </div>
      {isAsking && (
        <Confirm
          title={memory.forgetAll}
          text={memory.forgetAllAsk}
          word={memory.word}
          yes={memory.forgetAll}
          no={memory.cancel}
          onYes={() => void forgetAll()}
          onNo={() => setAsking(false)}
        />
      )}
    </div>
  );
}
