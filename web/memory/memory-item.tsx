import { ApiError } from "../api.ts";
import { useApp } from "../app-context.ts";
import { formatDateTime } from "../format.ts";
import { sessionHash } from "../route.ts";
import { texts } from "../texts.ts";
import type { Remembered } from "../types.ts";
import { explain } from "../ui/failure.tsx";

/** Characters and lines above which a memory gets a scrollable region. */
const LONG = 200;
const HIGH = 5;

interface MemoryItemProps {
  memory: Remembered;
  /** Removes the memory from the list. */
  onTake: () => void;
  onPutBack: () => void;
}

/** A memory: its text and time, the link to its source, and the button to forget it. */
export function MemoryItem({ memory, onTake, onPutBack }: MemoryItemProps) {
  const { api, notify } = useApp();
  const { id, session_id, message_id, role, content, created_at } = memory;
  const forget = () => {
    onTake();
    const commit = () =>
      void api.call("DELETE /v1/memories/{id}", { params: { id } }).catch((error: unknown) => {
        // The memory is already deleted.
        if (error instanceof ApiError && error.status === 404) return;
        onPutBack();
        notify({ text: explain(error) });
      });
    notify({ text: texts.memory.forgotten, undo: onPutBack, commit });
  };
  return (
    <li>
      <p class="quiet">
        {texts.memory.said(role)} · <time dateTime={created_at}>{formatDateTime(created_at)}</time>
      </p>
      <p class="pre" tabIndex={content.length > LONG || content.split("\n").length > HIGH ? 0 : undefined}>
        {content}
      </p>
      <p class="row">
        <a href={`${sessionHash(session_id)}?m=${encodeURIComponent(message_id)}`}>{texts.memory.source}</a>
        <button type="button" class="text" onClick={forget}>
          {texts.memory.forget}
        </button>
      </p>
    </li>
  );
}
