import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { useApp } from "../app-context.ts";
import { writeDraft } from "../preferences.ts";
import { texts } from "../texts.ts";
import type { Draft } from "../types.ts";
import { IconButton } from "../ui/icon-button.tsx";
import { PaperclipIcon, SendIcon, StopIcon } from "../ui/icons.tsx";
import { AttachedFiles } from "./attached-files.tsx";
import { useUploads } from "./use-uploads.ts";

interface ComposerProps {
  /** The session of the draft; empty = a new chat. */
  draftKey: string;
  initial: string;
  isBusy: boolean;
  isStopping: boolean;
  isDisabled: boolean;
  onSend: (draft: Draft) => void;
  onStop: () => void;
  onEditLast: () => void;
}

/** The text field of a chat. It keeps the text until the API has accepted it. */
export function Composer(props: ComposerProps) {
  const { draftKey, initial, isBusy, isStopping, isDisabled, onSend, onStop, onEditLast } = props;
  const { identity } = useApp();
  const [text, setText] = useState(initial);
  const [isOver, setOver] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const uploads = useUploads();
  const isReady = !isDisabled && uploads.areReady && (text.trim() !== "" || uploads.files.length > 0);

  useLayoutEffect(() => {
    // Do not focus the field on a touch screen, because this would open the keyboard.
    if (matchMedia("(hover: hover)").matches) field.current?.focus();
  }, []);
  useLayoutEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [text]);

  const type = (value: string) => {
    setText(value);
    writeDraft(identity.user, draftKey, value);
  };
  const send = () => {
    if (!isReady || isBusy) return;
    // The draft stays stored until the API has accepted the message.
    setText("");
    onSend({ content: text, files: uploads.take() });
  };
  const press = (event: KeyboardEvent) => {
    // Ignore the Enter with which an input method chooses a word. Safari shows it only by this key code.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    } else if (event.key === "ArrowUp" && text === "") {
      event.preventDefault();
      onEditLast();
    }
  };
  const add = (list: FileList | undefined | null) => {
    if (!list?.length) return false;
    uploads.add([...list]);
    return true;
  };

  return (
    <form
      class={isOver ? "composer over" : "composer"}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        add(event.dataTransfer?.files);
      }}
    >
      <AttachedFiles uploads={uploads} />
      {isOver && <p class="quiet">{texts.files.drop}</p>}
      <div class="field">
        <IconButton icon={PaperclipIcon} label={texts.chat.attach} onClick={() => picker.current?.click()} />
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          onChange={({ currentTarget }) => {
            add(currentTarget.files);
            currentTarget.value = "";
          }}
        />
        <textarea
          id="composer"
          ref={field}
          rows={1}
          value={text}
          disabled={isDisabled}
          aria-label={texts.chat.message}
          placeholder={texts.chat.placeholder}
          onInput={({ currentTarget }) => type(currentTarget.value)}
          onKeyDown={press}
          onPaste={(event) => {
            if (add(event.clipboardData?.files)) event.preventDefault();
          }}
        />
        {isBusy ? (
          <button type="button" class="send" aria-label={texts.chat.stop} disabled={isStopping} onClick={onStop}>
            <StopIcon />
          </button>
        ) : (
          <button type="submit" class="send" aria-label={texts.chat.send} disabled={!isReady}>
            <SendIcon />
          </button>
        )}
      </div>
    </form>
  );
}
