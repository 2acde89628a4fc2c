/** Gives the results of `start` in order, having started on up to `most` items before the first of them is asked for. */
export async function* ahead<T, R>(
  items: Iterable<T>,
  most: number,
  start: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const started: Promise<R>[] = [];
  try {
    for (const item of items) {
      const result = start(item);
      // Awaited in its turn; until then a failure is nobody's.
      result.catch(() => {});
      started.push(result);
      if (started.length >= most) yield await (started.shift() as Promise<R>);
    }
    for (let next = started.shift(); next; next = started.shift()) yield await next;
  } finally {
    // Whoever stops early must not leave calls behind that end after it.
    await Promise.allSettled(started);
  }
}

/** The same pages, of which the first has been read. */
export async function begun<T>(pages: AsyncIterable<T>): Promise<AsyncIterable<T>> {
  const rest = pages[Symbol.asyncIterator]();
  const first = await rest.next();
  return (async function* () {
    for (let page = first; !page.done; page = await rest.next()) yield page.value;
  })();
}
