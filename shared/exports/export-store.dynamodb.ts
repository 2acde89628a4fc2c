import { exportKey, latestExportKey } from "../dynamodb/keys.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import type { ExportRecord, ExportStore } from "./export-store.ts";

/**
 * Stores exports in the table `exports`: one item per export, and one item per user that names the latest export. Each write of the latter
 * starts the job through the table's stream.
 */
export function createExportStore(table: Table): ExportStore {
  const toRecord = (user_id: string, { pk: _pk, sk: _sk, ...item }: Item) =>
    ({ ...item, user_id }) as unknown as ExportRecord;

  return {
    async find(user, id) {
      const item = await table.get(exportKey(user, id));
      return item && toRecord(user, item);
    },

    async latest(user) {
      const item = await table.get(latestExportKey(user));
      return item && String(item.id);
    },

    async begin({ user_id, ...record }, after) {
      const { id, expires_at } = record;
      const isLatest =
        after === null
          ? { ConditionExpression: "attribute_not_exists(pk)" }
          : { ConditionExpression: "id = :after", ExpressionAttributeValues: { ":after": after } };
      const refused = await table.transact([
        { Put: { Item: { ...exportKey(user_id, id), ...record }, ConditionExpression: "attribute_not_exists(pk)" } },
        { Put: { Item: { ...latestExportKey(user_id), id, runs: 1, expires_at }, ...isLatest } },
      ]);
      return refused === null;
    },

    async attempt(user, id) {
      const outcome = await table.update({
        Key: exportKey(user, id),
        UpdateExpression: "ADD attempts :one",
        ...isRunning,
        ExpressionAttributeValues: { ...isRunning.ExpressionAttributeValues, ":one": 1 },
        ReturnValues: "ALL_NEW",
      });
      return outcome.done && outcome.item ? toRecord(user, outcome.item) : null;
    },

    async startNextRun(user, id) {
      await table.transact([
        {
          Update: {
            Key: exportKey(user, id),
            UpdateExpression: "SET attempts = :none",
            ...isRunning,
            ExpressionAttributeValues: { ...isRunning.ExpressionAttributeValues, ":none": 0 },
          },
        },
        {
          Update: {
            Key: latestExportKey(user),
            UpdateExpression: "ADD runs :one",
            ConditionExpression: "id = :id",
            ExpressionAttributeValues: { ":id": id, ":one": 1 },
          },
        },
      ]);
    },

    async end(user, id, result) {
      const status = result ? "ready" : "failed";
      const ended = await table.update({
        Key: exportKey(user, id),
        UpdateExpression: result ? "SET #status = :status, #result = :result" : "SET #status = :status",
        ConditionExpression: isRunning.ConditionExpression,
        ExpressionAttributeNames: { "#status": "status", ...(result ? { "#result": "result" } : {}) },
        ExpressionAttributeValues: {
          ...isRunning.ExpressionAttributeValues,
          ":status": status,
          ...(result ? { ":result": result } : {}),
        },
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      });
      return ended.done || ended.item?.status === status;
    },
  };
}

const isRunning = {
  ConditionExpression: "#status = :running",
  ExpressionAttributeNames: { "#status": "status" },
  ExpressionAttributeValues: { ":running": "running" },
};
