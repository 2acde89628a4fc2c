import { useState } from "preact/hooks";
import { texts } from "../texts.ts";
import { IconButton } from "./icon-button.tsx";
import { CheckIcon, CopyIcon } from "./icons.tsx";

/** Milliseconds for which the button shows its success. */
const SHOWN = 1500;

/** Copies a text to the clipboard. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), SHOWN);
  };
  const shown = isCopied ? texts.message.copied : label;
  const icon = isCopied ? CheckIcon : CopyIcon;
  return <IconButton icon={icon} label={shown} title={shown} onClick={() => void copy().catch(() => {})} />;
}
