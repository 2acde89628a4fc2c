import { toSeconds } from "../clock.ts";
import { idempotencyKey } from "../dynamodb/keys.ts";
import type { Table } from "../dynamodb/table.ts";
import { retention } from "../retention/policy.ts";
import type { Begun, IdempotencyStore } from "./idempotency-store.ts";

/** The condition that the record was neither deleted nor replaced by that of another request. */
const IS_SAME_REQUEST = "seed = :seed";

/**
 * Stores idempotency records in the table `conversations`, one item each. Earlier versions stored each in a separate partition. DynamoDB's TTL
 * deletes those within a day; a request that is repeated after the update of the deployment runs again.
 */
export function createIdempotencyStore(table: Pick<Table, "put" | "update">): IdempotencyStore {
  return {
    async begin(user, key, { digest, identity, lockedUntil, now, seconds = retention.idempotency.seconds, replaces }) {
      const record = {
        ...idempotencyKey(user, key),
        digest,
        ...identity,
        holder: identity.seed,
        locked_until: lockedUntil,
        expires_at: toSeconds(now) + seconds,
      };
      if (replaces) {
        await table.put({ Item: record });
        return { kind: "run", identity };
      }
      const outcome = await table.put({
        Item: record,
        ConditionExpression: "attribute_not_exists(pk) OR expires_at <= :now",
        ExpressionAttributeValues: { ":now": toSeconds(now) },
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      });
      if (outcome.done) return { kind: "run", identity };
      const stored = outcome.item;
      if (!stored) return { kind: "running" };
      if (stored.digest !== digest) return { kind: "mismatch" };
      const run = { kind: "run", identity: { seed: String(stored.seed), at: Number(stored.at) } } satisfies Begun;
      if (typeof stored.status === "number") {
        const headers = stored.headers as Record<string, string>;
        return { ...run, kind: "answered", answer: { status: stored.status, headers, body: String(stored.body) } };
      }
      // The SDK has sent the same write again because the answer to the first one got lost.
      if (stored.holder === identity.seed) return run;
      if (Number(stored.locked_until) > now) return { kind: "running", identity: run.identity };
      const taken = await table.update({
        Key: idempotencyKey(user, key),
        UpdateExpression: "SET locked_until = :until, holder = :me",
        ConditionExpression: "locked_until = :seen AND attribute_not_exists(#status)",
        ExpressionAttributeNames: { "#status": "status" },
        ExpressionAttributeValues: { ":until": lockedUntil, ":me": identity.seed, ":seen": stored.locked_until },
      });
      return taken.done ? run : { kind: "running", identity: run.identity };
    },

    async finish(user, key, seed, { status, headers, body }) {
      await table.update({
        Key: idempotencyKey(user, key),
        UpdateExpression: "SET #status = :status, headers = :headers, body = :body",
        ConditionExpression: IS_SAME_REQUEST,
        ExpressionAttributeNames: { "#status": "status" },
        ExpressionAttributeValues: { ":status": status, ":headers": headers, ":body": body, ":seed": seed },
      });
    },

    async release(user, key, seed) {
      await table.update({
        Key: idempotencyKey(user, key),
        UpdateExpression: "SET locked_until = :zero",
        ConditionExpression: IS_SAME_REQUEST,
        ExpressionAttributeValues: { ":zero": 0, ":seed": seed },
      });
    },
  };
}
