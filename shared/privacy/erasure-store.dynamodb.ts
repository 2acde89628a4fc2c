import { toSeconds } from "../clock.ts";
import { openErasureKey, openErasures, personKey, receiptKey } from "../dynamodb/keys.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { AppError } from "../errors.ts";
import { retention } from "../retention/policy.ts";
import type { ErasureStore, OpenErasure, Receipt } from "./erasure.ts";

/** Stores erasures in the table `conversations`: the receipt, the open erasure, and the mark in the person's record. */
export function createErasureStore(table: Pick<Table, "get" | "update" | "transact" | "pages">): ErasureStore {
  return {
    async begin(erasure, receipt) {
      const refused = await table.transact([
        {
          Update: {
            Key: personKey(erasure.user),
            UpdateExpression: "SET erasing = :id",
            ConditionExpression: "attribute_not_exists(erasing) OR erasing = :id",
            ExpressionAttributeValues: { ":id": erasure.id },
          },
        },
        { Put: { Item: toReceiptItem(receipt), ConditionExpression: "attribute_not_exists(pk)" } },
        { Put: { Item: toOpenItem(erasure), ConditionExpression: "attribute_not_exists(pk)" } },
      ]);
      if (!refused) return erasure.id;
      const [person, stored] = refused;
      if (person?.failed) return String(person.item?.erasing);
      // An earlier attempt of the same request has begun the erasure.
      if (stored?.failed) return erasure.id;
      throw new AppError("unavailable", "the erasure could not begin: try again", { retryAfter: 1 });
    },

    async findReceipt(id) {
      const item = await table.get(receiptKey(id));
      return item && (JSON.parse(String(item.receipt)) as Receipt);
    },

    async open() {
      const all: OpenErasure[] = [];
      const partition = { KeyConditionExpression: "pk = :pk", ExpressionAttributeValues: { ":pk": openErasures } };
      for await (const { items } of table.pages({ ...partition, ConsistentRead: true }))
        all.push(...items.map(fromItem));
      return all;
    },

    async lease(id, holder, now, until) {
      const { done, item } = await table.update({
        Key: openErasureKey(id),
        UpdateExpression: "SET holder = :me, held_until = :until",
        ConditionExpression:
          "attribute_exists(pk) AND (attribute_not_exists(held_until) OR held_until <= :now OR holder = :me)",
        ExpressionAttributeValues: { ":me": holder, ":until": until, ":now": now },
        ReturnValues: "ALL_NEW",
      });
      return done && item ? fromItem(item) : null;
    },

    async release(id, holder) {
      await table.update({
        Key: openErasureKey(id),
        UpdateExpression: "SET held_until = :zero",
        ...isHeldBy(holder),
        ExpressionAttributeValues: { ":me": holder, ":zero": 0 },
      });
    },

    async save({ id, counts, stage }, holder, until) {
      const { done } = await table.update({
        Key: openErasureKey(id),
        UpdateExpression: "SET counts = :counts, stage = :stage, held_until = :until",
        ...isHeldBy(holder),
        ExpressionAttributeValues: {
          ":me": holder,
          ":counts": JSON.stringify(counts),
          ":stage": stage,
          ":until": until,
        },
      });
      return done;
    },

    async complete({ id, user }, receipt, holder) {
      const refused = await table.transact([
        {
          Delete: {
            Key: personKey(user),
            ConditionExpression: "erasing = :id",
            ExpressionAttributeValues: { ":id": id },
          },
        },
        { Put: { Item: toReceiptItem(receipt) } },
        {
          Update: {
            Key: openErasureKey(id),
            UpdateExpression: "SET stage = :late",
            ...isHeldBy(holder),
            ExpressionAttributeValues: { ":me": holder, ":late": "late" },
          },
        },
      ]);
      return !refused;
    },

    async close(id) {
      await table.transact([{ Delete: { Key: openErasureKey(id) } }]);
    },
  };
}

const isHeldBy = (holder: string) => ({
  ConditionExpression: "holder = :me",
  ExpressionAttributeValues: { ":me": holder },
});

function toReceiptItem(receipt: Receipt): Item {
  return {
    ...receiptKey(receipt.id),
    // Store the text that was signed.
    receipt: JSON.stringify(receipt),
    expires_at: toSeconds(Date.parse(receipt.requested_at)) + retention.erasureReceipt.seconds,
  };
}

function toOpenItem({ id, user, since, counts, stage }: OpenErasure): Item {
  return { ...openErasureKey(id), user, since, counts: JSON.stringify(counts), stage };
}

function fromItem({ sk, user, since, counts, stage }: Item): OpenErasure {
  return {
    id: String(sk),
    user: String(user),
    since: Number(since),
    counts: JSON.parse(String(counts)) as OpenErasure["counts"],
    stage: stage as OpenErasure["stage"],
  };
}
