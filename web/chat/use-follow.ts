import type { RefObject } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ConversationState } from "./conversation-state.ts";

/** Maximum distance from the end, in pixels, at which the view follows the end. */
const NEAR_END = 80;
/** Distance from the beginning, in pixels, at which earlier messages are loaded. */
const NEAR_BEGINNING = 1500;

/**
 * Keeps the view at the end of the transcript if it is there, and keeps the visible messages in place when earlier ones are loaded. Calls
 * `onNearBeginning` when earlier messages are needed.
 */
export function useFollow(
  ref: RefObject<HTMLElement | null>,
  state: ConversationState | undefined,
  onNearBeginning: () => void,
) {
  const [isAtEnd, setAtEnd] = useState(true);
  const follows = useRef(true);
  const before = useRef({ first: "", height: 0, top: 0 });
  const load = useRef(onNearBeginning);
  load.current = onNearBeginning;

  const toEnd = useCallback(() => {
    follows.current = true;
    ref.current?.scrollTo({ top: ref.current.scrollHeight });
    setAtEnd(true);
  }, [ref]);

  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const look = () => {
      const { scrollTop, scrollHeight, clientHeight } = element;
      follows.current = scrollHeight - scrollTop - clientHeight < NEAR_END;
      before.current = { ...before.current, height: scrollHeight, top: scrollTop };
      setAtEnd(follows.current);
      if (scrollTop < NEAR_BEGINNING) load.current();
    };
    element.addEventListener("scroll", look, { passive: true });
    // The height changes when the composer or the window changes its size.
    const observer = new ResizeObserver(() => follows.current && element.scrollTo({ top: element.scrollHeight }));
    observer.observe(element);
    for (const child of element.children) observer.observe(child);
    return () => {
      element.removeEventListener("scroll", look);
      observer.disconnect();
    };
  }, [ref]);

  useLayoutEffect(() => {
    const element = ref.current;
    const first = state?.messages[0]?.id ?? "";
    if (!element) return;
    if (follows.current) element.scrollTo({ top: element.scrollHeight });
    else if (
      before.current.first !== "" &&
      first !== before.current.first &&
      element.scrollTop === before.current.top
    ) {
      // The browser has not anchored the view itself.
      element.scrollTo({ top: before.current.top + element.scrollHeight - before.current.height });
    }
    before.current = { first, height: element.scrollHeight, top: element.scrollTop };
    if (state?.cursor && element.scrollHeight <= element.clientHeight) load.current();
  }, [ref, state]);

  return { isAtEnd, toEnd };
}
