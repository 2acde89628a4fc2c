/**
 * Returns a function that resolves once a `sync` has finished that started after the call. Calls during a sync share the
 * next one, so that twenty concurrent writers need two syncs instead of twenty.
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
        // The callers of the running sync receive its error. It does not concern the next sync.
      })
      .then(() => {
        queued = undefined;
        return start();
      });
    return queued;
  };
}
