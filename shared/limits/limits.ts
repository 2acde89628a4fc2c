import type { ModelUsage } from "../llm/model.ts";
import type { NamedPlan } from "./plans.ts";

export interface ReserveRequest {
  user: string;
  plan: NamedPlan;
  /** Whether the user's request is counted already, so that the reservation adds only tokens. @default false */
  isCounted?: boolean;
  /** Identifies the reservation. The same id again is the same reservation. */
  id: string;
  /** Maximum tokens of the turn. */
  tokens: number;
  /** Minimum tokens that the turn accepts when fewer than `tokens` are left. */
  least: number;
  /** Epoch milliseconds. */
  now: number;
  /** Epoch milliseconds from which on the turn counts as dead and its reservation is given back. */
  until: number;
}

/** Tokens reserved for one turn. */
export interface Reservation {
  user: string;
  id: string;
  tokens: number;
  /** The day that the reservation counts to, for example 20261121. */
  day: string;
  /** Rate limit headers of the response. */
  headers: Record<string, string>;
  /** Attributes of past days and minutes that no function instance uses: the settlement removes them. */
  stale: string[];
}

interface Usage {
  requests: number;
  input_tokens: number;
  output_tokens: number;
  cost_usd: number;
  /** Tokens used and reserved. */
  spent: number;
}

/** Usage and budgets of users. */
export interface Limits {
  /**
   * Counts a request of the minute and reserves tokens of the day, in one atomic step. So concurrent requests cannot exceed the plan.
   * Throws `too_many_requests`.
   */
  reserve(request: ReserveRequest): Promise<Reservation>;
  /** Replaces the reservation by the actual usage; `null` = none. */
  settle(reservation: Reservation, usage: ModelUsage | null, costUsd: number): Promise<void>;
  /** Reads today's usage. */
  usage(user: string, now: number): Promise<Usage>;
}

/** Epoch milliseconds of the next midnight UTC, when daily budgets start again. */
export function resetOf(now: number): number {
  return (Math.floor(now / DAY_MS) + 1) * DAY_MS;
}

export function dayOf(now: number): string {
  return new Date(now).toISOString().slice(0, 10).replaceAll("-", "");
}

export const DAY_MS = 86_400_000;
