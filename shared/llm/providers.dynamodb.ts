import { toSeconds } from "../clock.ts";
import { providerKey } from "../dynamodb/keys.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { AppError } from "../errors.ts";
import { retention } from "../retention/policy.ts";
import type { ProviderStore } from "./provider-store.ts";

/** Attempts to take a slot in a queue that other instances change at the same time. */
const MAX_ATTEMPTS = 5;

/** Stores circuit breakers and queues of providers in the table `conversations`, one item each. */
export function createProviderStore(table: Table): ProviderStore {
  const expiry = (now: number) => toSeconds(now) + retention.provider.seconds;

  return {
    async breaker(provider) {
      const { pk, sk } = providerKey(provider, "breaker");
      // An eventually consistent read costs half, and a slightly old state is good enough.
      const { items } = await table.query({
        KeyConditionExpression: "pk = :pk AND sk = :sk",
        ExpressionAttributeValues: { ":pk": pk, ":sk": sk },
      });
      const [item] = items;
      return {
        failures: Number(item?.failures ?? 0),
        openedAt: typeof item?.opened_at === "number" ? item.opened_at : null,
      };
    },

    async countFailure(provider, now) {
      const outcome = await table.update({
        Key: providerKey(provider, "breaker"),
        UpdateExpression: "SET expires_at = :expires ADD failures :one",
        ExpressionAttributeValues: { ":one": 1, ":expires": expiry(now) },
        ReturnValues: "UPDATED_NEW",
      });
      return Number(outcome.item?.failures ?? 0);
    },

    async open(provider, now) {
      await table.update({
        Key: providerKey(provider, "breaker"),
        UpdateExpression: "SET opened_at = :now, expires_at = :expires REMOVE probe_until",
        ExpressionAttributeValues: { ":now": now, ":expires": expiry(now) },
      });
    },

    async close(provider) {
      await table.update({
        Key: providerKey(provider, "breaker"),
        UpdateExpression: "SET failures = :zero REMOVE opened_at",
        ExpressionAttributeValues: { ":zero": 0 },
      });
    },

    async claimProbe(provider, now, until) {
      const outcome = await table.update({
        Key: providerKey(provider, "breaker"),
        UpdateExpression: "SET probe_until = :until",
        ConditionExpression:
          "attribute_exists(opened_at) AND (attribute_not_exists(probe_until) OR probe_until <= :now)",
        ExpressionAttributeValues: { ":until": until, ":now": now },
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      });
      if (outcome.done) return "claimed";
      return outcome.item?.opened_at === undefined ? "closed" : "taken";
    },

    async endProbe(provider, until) {
      await table.update({
        Key: providerKey(provider, "breaker"),
        UpdateExpression: "REMOVE probe_until",
        ConditionExpression: "probe_until = :until",
        ExpressionAttributeValues: { ":until": until },
      });
    },

    async takePlace(provider, { cost, now, burst, latest }) {
      const key = providerKey(provider, "queue");
      const expires = { ":expires": expiry(now) };
      // `next` is the time at which the queue is empty. While it is in the future, taking a slot is one unconditional addition.
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const joined = await table.update({
          Key: key,
          UpdateExpression: "SET next_at = next_at + :cost, expires_at = :expires",
          ConditionExpression: "next_at > :floor AND next_at <= :latest",
          ExpressionAttributeValues: { ":cost": cost, ":floor": now - burst, ":latest": latest, ...expires },
          ReturnValues: "UPDATED_NEW",
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        });
        if (joined.done) return { taken: true, at: nextAt(joined.item) - cost };
        if (nextAt(joined.item) > latest) return { taken: false, at: nextAt(joined.item) };
        const began = await table.update({
          Key: key,
          UpdateExpression: "SET next_at = :next, expires_at = :expires",
          ConditionExpression: "attribute_not_exists(next_at) OR next_at <= :floor",
          ExpressionAttributeValues: { ":next": now - burst + cost, ":floor": now - burst, ...expires },
        });
        if (began.done) return { taken: true, at: now };
      }
      throw new AppError("unavailable", "too many calls change the queue of the provider: try again", {
        retryAfter: 1,
      });
    },
  };
}

const nextAt = (item: Item | undefined): number => Number(item?.next_at ?? 0);
