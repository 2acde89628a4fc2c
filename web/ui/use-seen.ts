import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";

/** The distance at which an element counts as nearly in view. */
const MARGIN = "400px";

/** Returns whether an element is in view, or nearly. */
export function useSeen(ref: RefObject<Element | null>, isActive: boolean): boolean {
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    if (!ref.current || !isActive) return setSeen(false);
    const observer = new IntersectionObserver(([entry]) => setSeen(entry?.isIntersecting ?? false), {
      rootMargin: MARGIN,
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, [ref, isActive]);
  return isSeen;
}
