import type { Event } from "./schema.ts";

export interface EventRecord extends Event {
  user_id: string;
}

export interface EventStore {
  /** Stores an event, and what it adds to the metrics, both or neither in the end: a retry changes nothing. */
  add(event: EventRecord): Promise<void>;
  /** Every event of a day (as in 2026-11-21), a page at a time. */
  ofDay(day: string): AsyncIterable<EventRecord[]>;
  /** Lets the events of a day live until then (epoch ms), if they would expire before; how many those were. */
  hold(day: string, until: number): Promise<number>;
}
