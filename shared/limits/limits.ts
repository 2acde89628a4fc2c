import type { ModelUsage } from "../llm/model.ts";
import type { NamedPlan } from "./plans.ts";

export interface ReserveRequest {
  user: string;
  plan: NamedPlan;
  /** Tells this reservation from others of the user; the same id again is the same reservation. */
  id: string;
  /** Tokens that the turn may use at most. */
  tokens: number;
  /** Tokens with which it can do, when there are not so many left. */
  least: number;
  /** Epoch milliseconds. */
  now: number;
  /** Epoch milliseconds from which on the turn counts as dead, and what it holds is given back. */
  until: number;
}

/** Tokens set aside for one turn. */
export interface Reservation {
  user: string;
  id: string;
  tokens: number;
  /** Of the day it counts to, like 20261121. */
  day: string;
  /** What the answer says about the limits. */
  headers: Record<string, string>;
  /** Attributes of days and minutes that are over for every function instance: the settlement clears them away. */
  stale: string[];
}

export interface Usage {
  requests: number;
  input_tokens: number;
  output_tokens: number;
  cost_usd: number;
  /** Tokens used and set aside. */
  spent: number;
}

/** What users have used today, and may use. */
export interface Limits {
  /**
   * Takes a request of the minute and sets tokens of the day aside, all in one step: however many ask at once, no more is given out
   * than the plan has. Throws `too_many_requests`.
   */
  reserve(request: ReserveRequest): Promise<Reservation>;
  /** Puts what was used in the place of what was set aside; costs nothing when `usage` is `null`. */
  settle(reservation: Reservation, usage: ModelUsage | null, costUsd: number): Promise<void>;
  usage(user: string, now: number): Promise<Usage>;
}

/** Epoch milliseconds of the next midnight UTC, when daily budgets begin anew. */
export const resetOf = (now: number): number => (Math.floor(now / DAY_MS) + 1) * DAY_MS;

export const dayOf = (now: number): string => new Date(now).toISOString().slice(0, 10).replaceAll("-", "");

export const DAY_MS = 86_400_000;
