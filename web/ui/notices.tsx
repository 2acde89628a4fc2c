import { useCallback, useEffect, useState } from "preact/hooks";
import { listen } from "../listen.ts";
import { texts } from "../texts.ts";
import { IconButton } from "./icon-button.tsx";
import { CloseIcon } from "./icons.tsx";

/** A message about an action that is shown for some time, with a button that undoes the action. */
export interface Notice {
  text: string;
  undo?: () => void;
  /** Called when the notice disappears and the action was not undone. */
  commit?: () => void;
}

interface Shown extends Notice {
  key: number;
}

/** Milliseconds for which a notice is shown. */
const SHOWN = 8000;

let count = 0;

export function useNotices() {
  const [notices, setNotices] = useState<Shown[]>([]);
  const dismiss = useCallback((key: number) => setNotices((all) => all.filter((one) => one.key !== key)), []);
  const notify = useCallback((notice: Notice) => setNotices((all) => [...all, { ...notice, key: ++count }]), []);
  return { notices, notify, dismiss };
}

/** Shows the notices above everything else. */
export function Notices({ notices, onDismiss }: { notices: Shown[]; onDismiss: (key: number) => void }) {
  return (
    <div class="notices" role="status">
      {notices.map((notice) => (
        <Toast key={notice.key} notice={notice} onDismiss={() => onDismiss(notice.key)} />
      ))}
    </div>
  );
}

function Toast({ notice, onDismiss }: { notice: Shown; onDismiss: () => void }) {
  const finish = () => {
    notice.commit?.();
    onDismiss();
  };
  useEffect(() => {
    const timer = setTimeout(finish, SHOWN);
    const stop = listen("pagehide", finish);
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, []);
  const undo = () => {
    notice.undo?.();
    onDismiss();
  };
  return (
    <p class="notice">
      <span>{notice.text}</span>
      {notice.undo && (
        <button type="button" class="text" onClick={undo}>
          {texts.errors.undo}
        </button>
      )}
      <IconButton icon={CloseIcon} label={texts.errors.dismiss} onClick={finish} />
    </p>
  );
}
