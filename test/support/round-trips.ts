import { AsyncLocalStorage } from "node:async_hooks";
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

/** Counts the calls of some work that have to wait for one another: those that are under way together are one round trip. */
export function roundTrips(client: DynamoDBDocumentClient) {
  const ours = new AsyncLocalStorage<true>();
  let answered = 0;
  client.middlewareStack.add(
    (next) => async (args) => {
      if (!ours.getStore()) return next(args);
      const trip = answered + 1;
      const result = await next(args);
      answered = Math.max(answered, trip);
      return result;
    },
    { step: "initialize", name: "roundTrips" },
  );
  return {
    inTurn: <T>(work: () => Promise<T>): Promise<T> => {
      answered = 0;
      return ours.run(true, work);
    },
    /** Round trips that have been answered. */
    trips: () => answered,
  };
}
