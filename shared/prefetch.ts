/** Yields the results of `start` in order, and starts up to `most` items before the caller asks for them. */
export async function* prefetch<T, R>(
  items: Iterable<T>,
  most: number,
  start: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const started: Promise<R>[] = [];
  try {
    for (const item of items) {
      const result = start(item);
      // Avoid an unhandled rejection: the error is rethrown when this result is awaited below.
      result.catch(() => {});
      started.push(result);
      if (started.length >= most) yield await (started.shift() as Promise<R>);
    }
    for (let next = started.shift(); next; next = started.shift()) yield await next;
  } finally {
    // If the caller stops early, wait for the calls that are under way.
    await Promise.allSettled(started);
  }
}

/** Reads the first page at once, and returns all pages. */
export async function withFirstPage<T>(pages: AsyncIterable<T>): Promise<AsyncIterable<T>> {
  const rest = pages[Symbol.asyncIterator]();
  const first = await rest.next();
  return (async function* () {
    for (let page = first; !page.done; page = await rest.next()) yield page.value;
  })();
}
