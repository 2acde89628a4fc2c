import { BrokenCircuitError, CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen } from "cockatiel";
import type { Clock } from "../clock.ts";
import { isOutage, ModelError } from "./model-error.ts";
import type { BreakerState, ProviderStore } from "./provider-store.ts";

/** Milliseconds for which an instance takes the shared state for granted. */
const CACHE = 5000;

export interface BreakerSettings {
  /** Outages in a row that open the circuit. */
  threshold: number;
  /** Milliseconds for which it stays open before one call may try. */
  openFor: number;
  /** Milliseconds that such a try may take. */
  probeFor: number;
}

export interface Breaker {
  /** Runs a call to a provider; throws a `ModelError` at once while the provider's circuit is open. */
  run<T>(provider: string, call: () => Promise<T>): Promise<T>;
  /** Throws the same ahead of a call: before it is prepared, or waits for something else. */
  check(provider: string): Promise<void>;
}

/**
 * A circuit breaker for each provider whose state all instances share. A function instance serves one request at a time and would
 * never see enough outages by itself, so its breaker is made from the stored state for each call, and what becomes of it is stored.
 * When the store fails, calls go through.
 */
export function createBreaker(
  store: ProviderStore,
  { threshold, openFor, probeFor }: BreakerSettings,
  clock: Clock,
): Breaker {
  const cache = new Map<string, { state: Promise<BreakerState>; at: number }>();
  const quietly = <T>(work: Promise<T>, otherwise: T | Promise<T>): Promise<T> => work.catch(() => otherwise);

  function stateOf(provider: string): Promise<BreakerState> {
    const known = cache.get(provider);
    if (known && clock() - known.at < CACHE) return known.state;
    const state = quietly(store.breaker(provider), known?.state ?? { failures: 0, openedAt: null });
    cache.set(provider, { state, at: clock() });
    return state;
  }

  async function run<T>(provider: string, call: () => Promise<T>): Promise<T> {
    const shared = await stateOf(provider);
    const isOpen = shared.openedAt !== null;
    const isDue = shared.openedAt !== null && clock() - shared.openedAt >= openFor;
    // Of all instances, one may try; for the others the circuit stays open.
    if (isOpen && !(isDue && (await quietly(store.claimProbe(provider, clock(), clock() + probeFor), true)))) {
      throw broken(provider, shared.openedAt ?? 0);
    }
    const policy = circuitBreaker(handleWhen(isOutage), {
      halfOpenAfter: openFor,
      breaker: new ConsecutiveBreaker(threshold),
      initialState: {
        ownState: isOpen
          ? { value: CircuitState.Open, openedAt: shared.openedAt, attemptNo: 1 }
          : { value: CircuitState.Closed },
        breakerState: shared.failures,
      },
    });
    try {
      const result = await policy.execute(call);
      if (isOpen || shared.failures > 0) {
        cache.delete(provider);
        await quietly(store.close(provider), undefined);
      }
      return result;
    } catch (error) {
      if (error instanceof BrokenCircuitError) throw broken(provider, shared.openedAt ?? 0);
      if (isOutage(error)) {
        cache.delete(provider);
        const failures = await quietly(store.countFailure(provider, clock()), 0);
        if (policy.state === CircuitState.Open || failures >= threshold)
          await quietly(store.open(provider, clock()), undefined);
      }
      throw error;
    }
  }

  async function check(provider: string): Promise<void> {
    const { openedAt } = await stateOf(provider);
    if (openedAt !== null && clock() - openedAt < openFor) throw broken(provider, openedAt);
  }

  return { run, check };

  function broken(provider: string, openedAt: number): ModelError {
    const retryAfter = Math.max(1000, openedAt + openFor - clock());
    return new ModelError("unusable", `the circuit of ${provider} is open`, { retryAfter });
  }
}
