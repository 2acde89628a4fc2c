import { texts } from "../texts.ts";
import { IconButton } from "../ui/icon-button.tsx";
import { CloseIcon } from "../ui/icons.tsx";
import type { Uploads } from "./use-uploads.ts";

/** The files of the message that is being written, with their progress. */
export function AttachedFiles({ uploads }: { uploads: Uploads }) {
  if (uploads.files.length === 0) return null;
  return (
    <ul class="attached">
      {uploads.files.map(({ key, name, percent, file_id, error }) => (
        <li key={key} class={error ? "failed" : undefined}>
          <span>{error ?? name}</span>
          {!error && file_id === undefined && (
            <progress max={100} value={percent} aria-label={texts.files.uploading(name, percent)} />
          )}
          <IconButton icon={CloseIcon} label={texts.files.remove(name)} onClick={() => uploads.remove(key)} />
        </li>
      ))}
    </ul>
  );
}
