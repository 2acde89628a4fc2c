export interface DrainOptions {
  /** Items in work at once. */
  concurrency: number;
  /** Size of the items in work at once; an item that is larger than this goes alone. */
  maxSize: number;
  /** No item is taken any more once this is aborted. */
  signal: AbortSignal;
}

/**
 * Works on items, some at once, and takes an item only when there is room for it: what makes them is never ahead.
 * @throws what `work` throws, once the items in work are done.
 */
export async function drain<T extends { size: number }>(
  items: AsyncIterator<T>,
  { concurrency, maxSize, signal }: DrainOptions,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let count = 0;
  let size = 0;
  let wake = (): void => undefined;
  let failure: { error: unknown } | undefined;
  const leaving = (): Promise<void> => new Promise((resolve) => (wake = resolve));

  async function run(item: T): Promise<void> {
    try {
      await work(item);
    } catch (error) {
      failure ??= { error };
    }
    count -= 1;
    size -= item.size;
    wake();
  }

  while (!signal.aborted && !failure) {
    const next = await items.next();
    if (next.done) break;
    count += 1;
    size += next.value.size;
    void run(next.value);
    while (count >= concurrency || (size >= maxSize && count > 0)) await leaving();
  }
  while (count > 0) await leaving();
  if (failure) throw failure.error;
}
