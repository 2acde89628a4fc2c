import type { ComponentChildren } from "preact";
import { texts } from "../texts.ts";
import { IconButton } from "./icon-button.tsx";
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
      <IconButton icon={MenuIcon} class="icon only-narrow" label={texts.nav.open} onClick={onOpenSidebar} />
      <h1>{title}</h1>
      {children}
    </header>
  );
}
