import { useEffect, useState } from "preact/hooks";
import { useApp } from "../app-context.ts";
import { texts } from "../texts.ts";
import type { Part } from "../types.ts";
import { Code } from "../ui/code.tsx";
import { PaperclipIcon } from "../ui/icons.tsx";

type FilePart = Extract<Part, { type: "file" }>;

/** A part of a message that is not text. */
export function PartView({ part }: { part: Part }) {
  switch (part.type) {
    case "reasoning":
      return (
        <details class="folded">
          <summary>{texts.message.reasoning}</summary>
          <p class="pre">{part.text}</p>
        </details>
      );
    case "tool_call":
      return <Folded title={texts.message.toolCall(part.name)} value={part.input} />;
    case "tool_result": {
      const title = part.is_error ? texts.message.toolError : texts.message.toolResult;
      return <Folded title={title(part.name ?? texts.chat.tool)} value={part.output} />;
    }
    case "source":
      return (
        <p class="source">
          {texts.message.source}:{" "}
          {/^https?:/i.test(part.url) ? (
            <a href={part.url} target="_blank" rel="noopener noreferrer nofollow">
              {part.title || part.url}
            </a>
          ) : (
            part.title || part.url
          )}
        </p>
      );
    case "file":
      return <FileView file={part} />;
    case "data":
      return <Folded title={part.name} value={part.data} />;
    case "text":
      return null;
  }
}

function Folded({ title, value }: { title: string; value: unknown }) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return (
    <details class="folded">
      <summary>{title}</summary>
      <Code text={text ?? ""} language={typeof value === "string" ? "" : "json"} />
    </details>
  );
}

/** A picture, or a link to a file. It requests the URL when it is shown, because URLs expire. */
export function FileView({ file }: { file: FilePart }) {
  const { api } = useApp();
  const [url, setUrl] = useState<string>();
  const isImage = /^image\/(png|jpeg|gif|webp|avif)$/.test(file.media_type);
  const name = file.filename ?? texts.message.image;
  const find = async () => {
    const response = await api.open("GET /v1/files/{id}", { params: { id: file.file_id } });
    return ((await response.json()) as { url: string }).url;
  };
  useEffect(() => {
    if (isImage) void find().then(setUrl, () => {});
  }, [file.file_id]);
  const open = async () => {
    const target = await find().catch(() => undefined);
    if (target) window.open(target, "_blank", "noopener,noreferrer");
  };
  return (
    <button type="button" class={isImage ? "file picture" : "file"} aria-label={texts.files.open(name)} onClick={open}>
      {isImage && url ? <img src={url} alt={name} /> : <PaperclipIcon />}
      {!isImage && <span>{name}</span>}
    </button>
  );
}
