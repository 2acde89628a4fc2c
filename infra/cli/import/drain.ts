interface DrainOptions {
  /** Number of items to work on at the same time. */
  concurrency: number;
  /** Maximum total size of the items in work. A larger item is processed alone. */
  maxSize: number;
  /** No more items are taken after this is aborted. */
  signal: AbortSignal;
}

/**
 * Works on several items at the same time. Takes the next item only when there is room for it, so the source never reads ahead.
 * `p-map` limits only the number of items: eight records of 64 MB would take 512 MB. It also rejects before the other items are done.
 * @throws the first error of `work`, after the items in work are done.
 */
export async function drain<T extends { size: number }>(
  items: AsyncIterator<T>,
  { concurrency, maxSize, signal }: DrainOptions,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let count = 0;
  let size = 0;
  let onFinished = (): void => undefined;
  let failure: { error: unknown } | undefined;
  const nextFinished = (): Promise<void> => new Promise((resolve) => (onFinished = resolve));

  async function run(item: T): Promise<void> {
    try {
      await work(item);
    } catch (error) {
      failure ??= { error };
    }
    count -= 1;
    size -= item.size;
    onFinished();
  }

  while (!signal.aborted && !failure) {
    const next = await items.next();
    if (next.done) break;
    count += 1;
    size += next.value.size;
    void run(next.value);
    while (count >= concurrency || (size >= maxSize && count > 0)) await nextFinished();
  }
  while (count > 0) await nextFinished();
  if (failure) throw failure.error;
}
