import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

/** Turns of the event loop within which running work sends its next call. */
const TURNS = 30;

/**
 * Counts the round trips of some work. One trip contains all calls that do not wait for each other: they are held until no more
 * calls come, and then sent together. Later calls belong to the next trip.
 */
export function roundTrips(client: DynamoDBDocumentClient) {
  const ours = new AsyncLocalStorage<true>();
  let waiting: (() => void)[] = [];
  let arrivals = 0;
  let underWay = 0;
  let trips = 0;
  client.middlewareStack.add(
    (next) => async (args) => {
      if (!ours.getStore()) return next(args);
      arrivals++;
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        if (waiting.length === 1) void departure();
      });
      try {
        return await next(args);
      } finally {
        underWay--;
      }
    },
    { step: "initialize", name: "roundTrips", override: true },
  );

  async function departure(): Promise<void> {
    for (let turn = 0, seen = arrivals; turn < TURNS; turn++) {
      await sleep(1);
      if (underWay > 0 || arrivals > seen) turn = 0;
      seen = arrivals;
    }
    trips++;
    underWay += waiting.length;
    for (const depart of waiting) depart();
    waiting = [];
  }

  return {
    inTurn: <T>(work: () => Promise<T>): Promise<T> => {
      trips = 0;
      return ours.run(true, work);
    },
    /** Round trips so far. */
    trips: () => trips,
  };
}
