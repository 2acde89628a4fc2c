/**
 * Makes a function that resolves once a `sync` has run that began after the call. Calls that come while one is under
 * way share the next, so twenty writers at once cost two syncs and not twenty.
 */
export function createGroupedSync(sync: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let queued: Promise<void> | undefined;
  const start = (): Promise<void> => {
    running = sync().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (!running) return start();
    queued ??= running
      .catch(() => {
        // Whoever waits for that sync hears of it; the next one speaks for itself.
      })
      .then(() => {
        queued = undefined;
        return start();
      });
    return queued;
  };
}
