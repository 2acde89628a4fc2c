import { gunzipSync, gzipSync } from "node:zlib";
import { type Clock, toSeconds } from "../clock.ts";
import { idempotencyKey, idempotencyPartKey } from "../dynamodb/keys.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { retention } from "../retention/policy.ts";
import type { Answer, Begun, IdempotencyStore } from "./idempotency.ts";

/** Bytes of a kept answer in one item; DynamoDB's own limit is 400 KB. */
const PART_BYTES = 350_000;

/** Idempotency records in the table `conversations`. */
export function createIdempotencyStore(table: Table, clock: Clock): IdempotencyStore {
  return {
    async begin(user, key, digest, identity, lockedUntil, now) {
      const record = {
        ...idempotencyKey(user, key),
        digest,
        ...identity,
        holder: identity.seed,
        locked_until: lockedUntil,
        expires_at: toSeconds(now) + retention.idempotency.seconds,
      };
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
      if (typeof stored.status === "number") return { kind: "answered", answer: await readAnswer(user, key, stored) };
      const run = { kind: "run", identity: { seed: String(stored.seed), at: Number(stored.at) } } satisfies Begun;
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

    async finish(user, key, { status, headers, body }) {
      const bytes = gzipSync(body);
      const parts = Math.ceil(bytes.length / PART_BYTES);
      const expiresAt = toSeconds(clock()) + retention.idempotency.seconds;
      // The parts come first, so that a record that says how many there are is always complete.
      for (let n = 1; n < parts; n++) {
        const part = bytes.subarray(n * PART_BYTES, (n + 1) * PART_BYTES);
        await table.put({ Item: { ...idempotencyPartKey(user, key, n), part, expires_at: expiresAt } });
      }
      await table.update({
        Key: idempotencyKey(user, key),
        UpdateExpression: "SET #status = :status, headers = :headers, part = :part, parts = :parts",
        ConditionExpression: "attribute_exists(pk)",
        ExpressionAttributeNames: { "#status": "status" },
        ExpressionAttributeValues: {
          ":status": status,
          ":headers": headers,
          ":part": bytes.subarray(0, PART_BYTES),
          ":parts": parts,
        },
      });
    },

    async release(user, key) {
      await table.update({
        Key: idempotencyKey(user, key),
        UpdateExpression: "SET locked_until = :zero",
        ConditionExpression: "attribute_exists(pk) AND attribute_not_exists(#status)",
        ExpressionAttributeNames: { "#status": "status" },
        ExpressionAttributeValues: { ":zero": 0 },
      });
    },
  };

  async function readAnswer(user: string, key: string, record: Item): Promise<Answer> {
    const parts = [record.part as Uint8Array];
    for (let n = 1; n < Number(record.parts); n++) {
      const item = await table.get(idempotencyPartKey(user, key, n));
      parts.push((item?.part ?? new Uint8Array()) as Uint8Array);
    }
    return {
      status: Number(record.status),
      headers: record.headers as Record<string, string>,
      body: gunzipSync(Buffer.concat(parts)).toString("utf8"),
    };
  }
}
