import type { ButtonHTMLAttributes } from "preact";
import type { CloseIcon } from "./icons.tsx";

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon: typeof CloseIcon;
  /** The name for screen readers. */
  label: string;
}

/** A button with only an icon. */
export function IconButton({ icon: Icon, label, ...rest }: IconButtonProps) {
  return (
    <button type="button" class="icon" aria-label={label} {...rest}>
      <Icon />
    </button>
  );
}
