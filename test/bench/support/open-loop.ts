import { setTimeout as sleep } from "node:timers/promises";

export interface Load {
  /** Milliseconds from the planned time of each request to its first token. */
  times: number[];
  errors: number;
}

/**
 * Sends requests at a fixed rate, also while earlier ones are slow. `send` resolves with the time of the first token, on the clock of
 * `performance.now()`. Latency counts from the time at which a request was planned, so a request that is sent late or that waits is
 * as slow as its client sees it.
 */
export async function openLoop(
  perSecond: number,
  seconds: number,
  send: (n: number) => Promise<number>,
): Promise<Load> {
  const load: Load = { times: [], errors: 0 };
  const running: Promise<void>[] = [];
  const began = performance.now();
  const count = Math.max(1, Math.round(perSecond * seconds));
  for (let n = 0; n < count; n++) {
    const planned = began + (n * 1000) / perSecond;
    const early = planned - performance.now();
    if (early > 0) await sleep(early);
    running.push(
      send(n).then(
        (at) => void load.times.push(at - planned),
        () => void load.errors++,
      ),
    );
  }
  await Promise.all(running);
  return load;
}

/** Sends each request when the one before has ended, as a single user does. Latency counts from the time at which a request is sent. */
export async function oneByOne(seconds: number, send: (n: number) => Promise<number>): Promise<Load> {
  const load: Load = { times: [], errors: 0 };
  const began = performance.now();
  for (let n = 0; performance.now() - began < seconds * 1000; n++) {
    const sent = performance.now();
    await send(n).then(
      (at) => void load.times.push(at - sent),
      () => void load.errors++,
    );
  }
  return load;
}

/** Requests per second that are answered when there are always this number of them. */
export async function throughput(
  concurrent: number,
  seconds: number,
  send: (n: number) => Promise<unknown>,
): Promise<number> {
  const began = performance.now();
  let sent = 0;
  await Promise.all(
    Array.from({ length: concurrent }, async () => {
      while (performance.now() - began < seconds * 1000) await send(sent++);
    }),
  );
  return sent / ((performance.now() - began) / 1000);
}

export function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN;
}
