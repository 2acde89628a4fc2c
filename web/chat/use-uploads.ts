import { useMemo, useRef, useState } from "preact/hooks";
import { type Api, ApiError } from "../api.ts";
import { useApp } from "../app-context.ts";
import { texts } from "../texts.ts";
import type { Draft, Message } from "../types.ts";
import { explain } from "../ui/failure.tsx";

/** Maximum bytes of a file in the API. */
const MAX_BYTES = 25 * 1000 * 1000;

interface Upload {
  key: number;
  name: string;
  media_type: string;
  /** 0 to 100. */
  percent: number;
  file_id: string | undefined;
  error: string | undefined;
}

export interface Uploads {
  files: readonly Upload[];
  /** Whether all uploads have succeeded. */
  areReady: boolean;
  add(files: readonly File[]): void;
  remove(key: number): void;
  /** Returns the uploaded files, and empties the list. */
  take(): Draft["files"];
}

let count = 0;

/** The files that will be sent with the next message. Each is uploaded as soon as it is chosen. */
export function useUploads(): Uploads {
  const { api } = useApp();
  const [files, setFiles] = useState<Upload[]>([]);
  const current = useRef(files);
  current.current = files;
  const actions = useMemo(() => {
    const change = (key: number, patch: Partial<Upload>) =>
      setFiles((all) => all.map((file) => (file.key === key ? { ...file, ...patch } : file)));
    return {
      add(chosen: readonly File[]) {
        for (const file of chosen) {
          const key = ++count;
          const { name, type: media_type } = file;
          const error = file.size > MAX_BYTES ? texts.files.tooLarge(name) : undefined;
          const upload = {
            key,
            name,
            media_type: media_type || "application/octet-stream",
            percent: 0,
            file_id: undefined,
            error,
          };
          setFiles((all) => [...all, upload]);
          if (error) continue;
          send(api, file, upload.media_type, (percent) => change(key, { percent })).then(
            (file_id) => change(key, { file_id, percent: 100 }),
            (error: unknown) => {
              const why = error instanceof ApiError ? ` ${explain(error)}` : "";
              change(key, { error: texts.files.failed(name) + why });
            },
          );
        }
      },
      remove: (key: number) => setFiles((all) => all.filter((file) => file.key !== key)),
      take(): Draft["files"] {
        const ready = current.current.flatMap(({ file_id, media_type, name }) =>
          file_id === undefined ? [] : [{ file_id, media_type, filename: name }],
        );
        setFiles([]);
        return ready;
      },
    };
  }, [api]);
  return { files, areReady: files.every(({ file_id }) => file_id !== undefined), ...actions };
}

interface Created {
  id: string;
  upload: { method: string; url: string; headers: Record<string, string> };
}

/** Creates a file and uploads its bytes. Returns the file's id. */
async function send(api: Api, file: File, media_type: string, onProgress: (percent: number) => void): Promise<string> {
  const response = await api.open("POST /v1/files", {
    body: { filename: file.name, media_type, bytes: file.size },
    headers: { "idempotency-key": crypto.randomUUID() },
  });
  const { id, upload } = (await response.json()) as Created;
  await new Promise<void>((resolve, reject) => {
    // `fetch` does not report the progress of an upload.
    const request = new XMLHttpRequest();
    request.open(upload.method, upload.url);
    for (const [name, value] of Object.entries(upload.headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress(Math.round((loaded / total) * 100));
    request.onload = () => (request.status < 300 ? resolve() : reject(new Error(String(request.status))));
    request.onerror = () => reject(new Error("network"));
    request.send(file);
  });
  return id;
}

/** Returns the files of a stored message, to send them again. */
export function filesOf({ parts = [] }: Message): Draft["files"] {
  return parts.flatMap((part) =>
    part.type === "file"
      ? [{ file_id: part.file_id, media_type: part.media_type, filename: part.filename ?? part.file_id }]
      : [],
  );
}
