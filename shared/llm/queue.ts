import { type Clock, sleep } from "../clock.ts";
import { ModelError } from "./model-error.ts";
import type { ProviderStore } from "./provider-store.ts";

const MINUTE = 60_000;

/** Milliseconds of slots whose calls may start at once after a pause. */
const BURST = 5000;

interface QueueSettings {
  /** Requests per minute that a provider accepts; 0 = no limit. */
  requestsPerMinute: number;
  /** Tokens per minute that it accepts; 0 = no limit. */
  tokensPerMinute: number;
  /** Maximum milliseconds that a turn waits in the queue. */
  patience: number;
}

/** Waits until a call with these tokens may start. Throws a `ModelError` when this takes longer than `within` milliseconds. */
export type Queue = (provider: string, tokens: number, within: number, signal: AbortSignal) => Promise<void>;

/**
 * Keeps all function instances together within a provider's limits per minute. All calls share one queue. Each call takes a slot whose length
 * is its share of a minute, by requests or by tokens, whichever is longer (a leaky bucket as a meter, as in ATM's generic cell rate
 * algorithm). Shares are computed for a minute plus the burst, so that a minute with a burst also stays within the limit.
 */
export function createQueue(store: ProviderStore, settings: QueueSettings, clock: Clock): Queue {
  const { requestsPerMinute, tokensPerMinute, patience } = settings;
  return async (provider, tokens, within, signal) => {
    const cost = Math.max(
      requestsPerMinute > 0 ? (MINUTE + BURST) / requestsPerMinute : 0,
      tokensPerMinute > 0 ? (tokens * (MINUTE + BURST)) / tokensPerMinute : 0,
    );
    if (cost === 0) return;
    const now = clock();
    const latest = now + Math.min(within, patience);
    const { taken, at } = await store.takePlace(provider, { cost: Math.ceil(cost), now, burst: BURST, latest });
    if (!taken) throw new ModelError("unusable", `the queue of ${provider} is too long`, { retryAfter: at - now });
    if (at > now) await sleep(at - now, signal);
  };
}
