import type { Clock } from "../clock.ts";
import { isAnswer, isOutage, ModelError } from "./model-error.ts";
import type { BreakerState, ProviderStore } from "./provider-store.ts";

/** Milliseconds for which an instance uses the shared state before it reads it again. */
const CACHE = 5000;

const CLOSED: BreakerState = { failures: 0, openedAt: null };

interface BreakerSettings {
  /** Consecutive outages that open the circuit. */
  threshold: number;
  /** Milliseconds for which it stays open before a trial call is allowed. */
  openFor: number;
  /** Maximum milliseconds of the trial call. After that, its function instance counts as dead. */
  probeFor: number;
}

export interface Breaker {
  /** Runs a call to a provider; throws a `ModelError` at once while the provider's circuit is open. */
  run<T>(provider: string, call: () => Promise<T>): Promise<T>;
  /** Throws the same error as `run` without a call. */
  check(provider: string): Promise<void>;
}

/**
 * Creates a circuit breaker for each provider. All function instances share its state, because one instance serves one request at a time and
 * would never see enough outages. Consecutive outages open the circuit. After a while, the breaker allows one trial call. An answer of the
 * provider closes the circuit, also if it is a refusal. An outage keeps the circuit open. If the trial ends with neither, the next call is
 * the trial. When the store fails, all calls are allowed.
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
    return keep(provider, quietly(store.breaker(provider), known?.state ?? CLOSED));
  }

  function keep(provider: string, state: Promise<BreakerState>): Promise<BreakerState> {
    cache.set(provider, { state, at: clock() });
    return state;
  }

  async function run<T>(provider: string, call: () => Promise<T>): Promise<T> {
    const state = await stateOf(provider);
    const probeUntil = state.openedAt === null ? null : await startProbe(provider, state.openedAt);
    try {
      const result = await call();
      await answered(provider, state);
      return result;
    } catch (error) {
      if (isOutage(error)) await failed(provider);
      else if (isAnswer(error)) await answered(provider, state);
      else if (probeUntil !== null) await quietly(store.endProbe(provider, probeUntil), undefined);
      throw error;
    }
  }

  /** Claims the trial call of an open circuit. Returns `null` when another call has closed the circuit. Throws when another call has the claim. */
  async function startProbe(provider: string, openedAt: number): Promise<number | null> {
    const now = clock();
    if (now - openedAt < openFor) throw broken(provider, openedAt);
    const probe = await quietly(store.claimProbe(provider, now, now + probeFor), "claimed");
    if (probe === "taken") throw broken(provider, openedAt);
    return probe === "claimed" ? now + probeFor : null;
  }

  async function answered(provider: string, { failures, openedAt }: BreakerState): Promise<void> {
    if (failures === 0 && openedAt === null) return;
    await quietly(store.close(provider), undefined);
    keep(provider, Promise.resolve(CLOSED));
  }

  async function failed(provider: string): Promise<void> {
    cache.delete(provider);
    const now = clock();
    const failures = await quietly(store.countFailure(provider, now), 0);
    if (failures >= threshold) await quietly(store.open(provider, now), undefined);
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
