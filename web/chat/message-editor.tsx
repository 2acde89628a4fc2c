import { useLayoutEffect, useRef } from "preact/hooks";
import { texts } from "../texts.ts";

interface EditorProps {
  content: string;
  onSave: (content: string) => void;
  onCancel: () => void;
}

/** Changes a message before it is sent again. */
export function MessageEditor({ content, onSave, onCancel }: EditorProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  // A layout effect, so that it runs before the next key is pressed.
  useLayoutEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(content.length, content.length);
  }, [content]);
  const save = () => {
    const text = field.current?.value ?? "";
    if (text.trim() !== "") onSave(text);
  };
  return (
    <form
      class="editor"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <textarea
        ref={field}
        aria-label={texts.message.editLabel}
        rows={Math.min(12, content.split("\n").length + 1)}
        defaultValue={content}
        onKeyDown={(event) => {
          if (event.key === "Escape") {
            event.preventDefault();
            onCancel();
          } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
            event.preventDefault();
            save();
          }
        }}
      />
      <div class="row">
        <button type="button" onClick={onCancel}>
          {texts.message.cancel}
        </button>
        <button type="submit" class="primary">
          {texts.message.save}
        </button>
      </div>
    </form>
  );
}
