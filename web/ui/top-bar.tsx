import type { ComponentChildren } from "preact";
import { texts } from "../texts.ts";
import { MenuIcon } from "./icons.tsx";

interface TopBarProps {
  title: string;
  onOpenSidebar: () => void;
  children?: ComponentChildren;
}

/** The heading of a view, with the button that opens the sidebar on narrow screens. */
export function TopBar({ title, onOpenSidebar, children }: TopBarProps) {
  return (
    <header class="top-bar">
      <button type="button" class="icon only-narrow" aria-label={texts.nav.open} onClick={onOpenSidebar}>
        <MenuIcon />
      </button>
      <h1>{title}</h1>
      {children}
    </header>
  );
}
