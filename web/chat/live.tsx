import { useEffect, useState } from "preact/hooks";
import { texts } from "../texts.ts";
import type { Draft, LiveAnswer } from "../types.ts";
import { Markdown } from "../ui/markdown.tsx";
import { FileView, PartView } from "./parts.tsx";

/** Milliseconds after which the page says that it is still waiting. */
const SLOW = 8000;

/** A running answer. */
export function LiveView({ live }: { live: LiveAnswer | undefined }) {
  const isThinking = !live || (live.text === "" && live.parts.length === 0);
  return (
    <article class="message assistant live" aria-busy="true">
      <h2 class="hidden">{texts.chat.assistant}</h2>
      {live?.reasoning && <PartView part={{ type: "reasoning", text: live.reasoning }} />}
      {live?.parts.map((part, n) => (
        <PartView key={n} part={part} />
      ))}
      {isThinking ? <Thinking /> : <Markdown text={live.text} />}
    </article>
  );
}

function Thinking() {
  const [isSlow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), SLOW);
    return () => clearTimeout(timer);
  }, []);
  return <p class="thinking">{isSlow ? texts.chat.slow : texts.chat.thinking}</p>;
}

/** A message that is being sent. */
export function SentView({ draft, isUploaded }: { draft: Draft; isUploaded: boolean }) {
  return (
    <article class={isUploaded ? "message user" : "message user sending"}>
      <h2 class="hidden">{texts.chat.you}</h2>
      <div class="bubble">
        {draft.content}
        {draft.files.map((file) => (
          <FileView key={file.file_id} file={{ type: "file", ...file }} />
        ))}
      </div>
    </article>
  );
}
