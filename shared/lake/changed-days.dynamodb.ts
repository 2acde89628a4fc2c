import { lakeBasisKey, lakeDayKey, lakeDays } from "../dynamodb/keys.ts";
import type { Table } from "../dynamodb/table.ts";
import { randomId } from "../random.ts";
import type { ChangedDay, ChangedDays } from "./lake.ts";

/** Stores the marks of changed days as items of one partition, at most one per day. */
export function createChangedDays(table: Table): ChangedDays {
  return {
    async mark(days) {
      for (const day of new Set(days)) {
        await table.update({
          Key: lakeDayKey(day),
          UpdateExpression: "SET #token = :token REMOVE due",
          ExpressionAttributeNames: { "#token": "token" },
          ExpressionAttributeValues: { ":token": randomId() },
        });
      }
    },

    async markMessages(days) {
      for (const day of days) {
        await table.update({
          Key: lakeDayKey(day),
          UpdateExpression: "SET #token = :token, due = :now",
          // Keep the mark of a changed day, because its messages are built with it.
          ConditionExpression: "attribute_not_exists(pk) OR attribute_exists(due)",
          ExpressionAttributeNames: { "#token": "token" },
          ExpressionAttributeValues: { ":token": randomId(), ":now": 0 },
        });
      }
    },

    async findBasis() {
      const { items } = await table.query({
        KeyConditionExpression: "pk = :pk",
        ExpressionAttributeValues: { ":pk": lakeBasisKey.pk },
      });
      return items[0] ? String(items[0].basis) : null;
    },

    async setBasis(basis) {
      await table.update({
        Key: lakeBasisKey,
        UpdateExpression: "SET basis = :basis",
        ExpressionAttributeValues: { ":basis": basis },
      });
    },

    async due(now) {
      const changed: ChangedDay[] = [];
      const pages = table.pages({
        KeyConditionExpression: "pk = :pk",
        FilterExpression: "attribute_not_exists(due) OR due <= :now",
        ExpressionAttributeValues: { ":pk": lakeDays, ":now": now },
      });
      for await (const { items } of pages) {
        for (const { sk, token, due } of items) {
          changed.push({ day: String(sk), token: String(token), aged: due !== undefined });
        }
      }
      return changed;
    },

    async settle({ day, token }, next) {
      const condition = {
        ConditionExpression: "#token = :token",
        ExpressionAttributeNames: { "#token": "token" },
      };
      if (next === null) {
        await table.transact([
          { Delete: { Key: lakeDayKey(day), ...condition, ExpressionAttributeValues: { ":token": token } } },
        ]);
      } else {
        await table.update({
          Key: lakeDayKey(day),
          UpdateExpression: "SET due = :due",
          ...condition,
          ExpressionAttributeValues: { ":token": token, ":due": next },
        });
      }
    },
  };
}
