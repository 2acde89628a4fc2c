import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { texts } from "../texts.ts";
import { CloseIcon } from "./icons.tsx";

interface DrawerProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

/** The panel at the right. It takes the focus, and returns it when it closes. */
export function Drawer({ title, onClose, children }: DrawerProps) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    button.current?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <aside class="drawer" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <button type="button" class="icon" ref={button} aria-label={texts.why.close} onClick={onClose}>
          <CloseIcon />
        </button>
      </header>
      {children}
    </aside>
  );
}
