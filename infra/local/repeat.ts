/**
 * Runs something every so many seconds, first after that time, and never twice at once. The function that it returns ends it and
 * waits for the run under way.
 */
export function repeat(
  seconds: number,
  run: () => Promise<void>,
  failed: (error: unknown) => void,
): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let stopped = false;

  function wait(): void {
    if (stopped) return;
    timer = setTimeout(() => {
      running = run()
        .catch((error: unknown) => {
          if (!stopped) failed(error);
        })
        .then(wait);
    }, seconds * 1000);
  }

  wait();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await running;
  };
}
