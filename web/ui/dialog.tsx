import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { texts } from "../texts.ts";
import { IconButton } from "./icon-button.tsx";
import { CloseIcon } from "./icons.tsx";

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

/** A modal dialog. The browser keeps the focus in it and returns it afterwards. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
    return () => dialog.current?.close();
  }, []);
  return (
    <dialog ref={dialog} aria-label={title} onClose={onClose}>
      <header>
        <h2>{title}</h2>
        <IconButton icon={CloseIcon} label={texts.keys.close} onClick={onClose} />
      </header>
      {children}
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  text: string;
  /** The text that the person must type to confirm; undefined = none. */
  word?: string;
  yes: string;
  no: string;
  onYes: () => void;
  onNo: () => void;
}

/** Asks for a confirmation before an action that cannot be undone. */
export function Confirm({ title, text, word, yes, no, onYes, onNo }: ConfirmProps) {
  const [typed, setTyped] = useState("");
  const isReady = word === undefined || typed.trim().toLowerCase() === word;
  return (
    <Dialog title={title} onClose={onNo}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isReady) onYes();
        }}
      >
        <p>{text}</p>
        {word !== undefined && (
          <label class="field">
            {texts.memory.type(word)}
            <input value={typed} autocomplete="off" onInput={({ currentTarget }) => setTyped(currentTarget.value)} />
          </label>
        )}
        <div class="row">
          <button type="button" onClick={onNo}>
            {no}
          </button>
          <button type="submit" class="danger" disabled={!isReady}>
            {yes}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
