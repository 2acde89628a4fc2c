/** Listens for events until the returned function is called. */
export function listen<Name extends keyof WindowEventMap>(
  names: Name | readonly Name[],
  handle: (event: WindowEventMap[Name]) => void,
): () => void {
  const all = [names].flat() as Name[];
  for (const name of all) addEventListener(name, handle);
  return () => {
    for (const name of all) removeEventListener(name, handle);
  };
}

/** Calls a function whenever the page is shown again, because another tab may have written. */
export function onShown(look: () => void): () => void {
  const check = () => document.visibilityState === "visible" && look();
  document.addEventListener("visibilitychange", check);
  return () => document.removeEventListener("visibilitychange", check);
}
