import { type Clock, toInstant } from "../clock.ts";
import type { MetricStore } from "../metrics/metric-store.ts";
import { shift, windowsBetween } from "../metrics/window.ts";
import { retention } from "../retention/policy.ts";
import { DAY } from "../retention/rule.ts";
import type { EventStore } from "./event.ts";

/** Days before the expiry at which a run delays it. They are more than twice the interval of the runs. */
const MARGIN = 30;

/** Number of days that are checked if nothing was exported yet. */
const FIRST_RUN = 30;

/**
 * Delays the expiry of events that are not exported yet, so that every event that TTL deletes is in the lake, also when the export is late.
 * Returns the number of delayed events, which is usually 0 because events are exported on the next day.
 */
export async function holdEvents({
  events,
  store,
  clock,
}: {
  events: Pick<EventStore, "hold">;
  store: Pick<MetricStore, "checkpoint">;
  clock: Clock;
}): Promise<number> {
  const now = clock();
  const through = (await store.checkpoint("export"))?.through;
  const until = now + MARGIN * DAY * 1000;
  const last = toInstant(until - retention.event.seconds * 1000).slice(0, 10);
  const first = through === undefined ? shift("day", last, -FIRST_RUN) : shift("day", through, 1);
  let held = 0;
  for (const day of windowsBetween("day", first, last)) held += await events.hold(day, until);
  return held;
}
