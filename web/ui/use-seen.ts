import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";

/** Returns whether an element is in view, or nearly. */
export function useSeen(ref: RefObject<Element | null>, isActive: boolean, margin = 400): boolean {
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    if (!ref.current || !isActive) return setSeen(false);
    const observer = new IntersectionObserver(([entry]) => setSeen(entry?.isIntersecting ?? false), {
      rootMargin: `${margin}px`,
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, [ref, isActive, margin]);
  return isSeen;
}
