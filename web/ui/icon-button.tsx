import type { ButtonHTMLAttributes } from "preact";
import type { CloseIcon } from "./icons.tsx";

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon: typeof CloseIcon;
  /** What screen readers say. */
  label: string;
}

/** A button that shows an icon only. */
export function IconButton({ icon: Icon, label, ...rest }: IconButtonProps) {
  return (
    <button type="button" class="icon" aria-label={label} {...rest}>
      <Icon />
    </button>
  );
}
