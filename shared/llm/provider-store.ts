/** What all instances know of a provider's circuit breaker. */
export interface BreakerState {
  /** Outages in a row. */
  failures: number;
  /** Epoch milliseconds at which the circuit was opened; `null` = closed. */
  openedAt: number | null;
}

/** What the function's instances share about the providers of models. */
export interface ProviderStore {
  breaker(provider: string): Promise<BreakerState>;
  /** Counts an outage at `now`; returns the number of outages in a row. */
  countFailure(provider: string, now: number): Promise<number>;
  /** Opens the circuit, or keeps it open from now on. */
  open(provider: string, now: number): Promise<void>;
  close(provider: string): Promise<void>;
  /**
   * Lets one call try an open circuit until `until` (epoch ms). `taken`: another call is trying. `closed`: the circuit is no longer open.
   */
  claimProbe(provider: string, now: number, until: number): Promise<"claimed" | "taken" | "closed">;
  /** Ends the try that was claimed until `until`, so that another call may try. */
  endProbe(provider: string, until: number): Promise<void>;
  /**
   * Takes a place in the provider's queue, `cost` milliseconds long. Gives the epoch milliseconds at which it comes, or, when that
   * is later than `latest`, refuses with when it would. After a pause, what falls within `burst` milliseconds may come at once.
   */
  takePlace(
    provider: string,
    place: { cost: number; now: number; burst: number; latest: number },
  ): Promise<{ taken: boolean; at: number }>;
}
