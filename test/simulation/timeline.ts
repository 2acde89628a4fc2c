/**
 * The scheduler: virtual time, and what happens in it, one event after the other. Everything that waits (a store call, a timer, a
 * stream record on its way) is an event at some time; the seed decides the times, so it decides the order.
 */

interface Event {
  time: number;
  /** Events of the same time happen in the order in which they were added. */
  order: number;
  run: () => void;
  cancelled: boolean;
}

/** Saved before any virtual timers take the place of it. */
const afterMicrotasks = setImmediate;

/** Events of one life at most: more means that something repeats itself for ever. */
const MAX_EVENTS = 60_000;

export function createTimeline(start: number) {
  let now = start;
  let added = 0;
  let happened = 0;
  /** A binary heap, the earliest first. */
  const heap: Event[] = [];

  const isBefore = (a: Event, b: Event) => a.time < b.time || (a.time === b.time && a.order < b.order);

  function push(event: Event): void {
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Event;
      if (!isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  function pop(): Event | undefined {
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
    return first;
  }

  return {
    now: () => now,

    /** Lets something happen at a time, or now if that has passed. Gives the function that prevents it. */
    at(time: number, run: () => void): () => void {
      const event = { time: Math.max(time, now), order: added++, run, cancelled: false };
      push(event);
      return () => {
        event.cancelled = true;
      };
    },

    /** Lets everything happen until nothing waits any more. Between two events all promises that can settle do. */
    async drain(): Promise<void> {
      await settled();
      for (let event = pop(); event; event = pop()) {
        if (event.cancelled) continue;
        if (++happened > MAX_EVENTS) throw new Error("the life does not come to an end");
        now = event.time;
        event.run();
        await settled();
      }
    },

    /** Moves time on while nothing waits. */
    skip(milliseconds: number): void {
      now += milliseconds;
    },

    wait: (milliseconds: number) => new Promise<void>((resolve) => void timelineAt(milliseconds, resolve)),
  };

  function timelineAt(milliseconds: number, run: () => void): void {
    push({ time: now + milliseconds, order: added++, run, cancelled: false });
  }
}

export type Timeline = ReturnType<typeof createTimeline>;

/** Resolves once all microtasks have run, those that they have added too. */
const settled = (): Promise<void> => new Promise((resolve) => void afterMicrotasks(resolve));
