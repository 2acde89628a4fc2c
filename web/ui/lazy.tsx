import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

/** Shows a component whose script is loaded at its first use. */
export function Lazy<P extends object>({ load, props }: { load: () => Promise<ComponentType<P>>; props: P }) {
  const [loaded, setLoaded] = useState<{ View: ComponentType<P> }>();
  useEffect(() => void load().then((View) => setLoaded({ View })), []);
  return loaded ? <loaded.View {...props} /> : <div class="skeleton" aria-busy="true" />;
}
