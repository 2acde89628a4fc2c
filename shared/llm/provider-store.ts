/** The state of a provider's circuit breaker, shared by all instances. */
export interface BreakerState {
  /** Consecutive outages. */
  failures: number;
  /** Epoch milliseconds at which the circuit was opened; `null` = closed. */
  openedAt: number | null;
}

/** State of model providers that all function instances share. */
export interface ProviderStore {
  breaker(provider: string): Promise<BreakerState>;
  /** Counts an outage at `now`; returns the number of consecutive outages. */
  countFailure(provider: string, now: number): Promise<number>;
  /** Opens the circuit, or keeps it open from now on. */
  open(provider: string, now: number): Promise<void>;
  close(provider: string): Promise<void>;
  /**
   * Claims the trial call of an open circuit until `until` (epoch ms). Returns "taken" when another call has the claim, and "closed" when the
   * circuit is no longer open.
   */
  claimProbe(provider: string, now: number, until: number): Promise<"claimed" | "taken" | "closed">;
  /** Ends the claim that was valid until `until`, so that another call can be the trial call. */
  endProbe(provider: string, until: number): Promise<void>;
  /**
   * Takes a slot of `cost` milliseconds in the provider's queue. Returns the epoch milliseconds at which the slot begins. If this is later
   * than `latest`, takes no slot and returns the time at which it would begin. After a pause, slots of `burst` milliseconds can begin at once.
   */
  takePlace(
    provider: string,
    place: { cost: number; now: number; burst: number; latest: number },
  ): Promise<{ taken: boolean; at: number }>;
}
