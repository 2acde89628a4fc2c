import { toSeconds } from "../clock.ts";
import {
  FILE_PREFIX,
  fileKey,
  filesPartition,
  fileUseKey,
  fileUsePrefix,
  parseFileUseKey,
  sessionKey,
} from "../dynamodb/keys.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { type FileRecord, unusedSeconds } from "./file.ts";
import type { FileStore } from "./file-store.ts";

/** Stores the records of files in the table `conversations`. */
export function createFileStore(table: Table): FileStore {
  return {
    async add({ user_id, ...file }, reuseAt) {
      const isNew = "attribute_not_exists(pk)";
      const { done } = await table.put({
        Item: { ...fileKey(user_id, file.id), ...file },
        ...(reuseAt === undefined
          ? { ConditionExpression: isNew }
          : {
              ConditionExpression: `${isNew} OR #status = :deleted OR expires_at <= :now`,
              ExpressionAttributeNames: { "#status": "status" },
              ExpressionAttributeValues: { ":deleted": "deleted", ":now": toSeconds(reuseAt) },
            }),
      });
      return done;
    },

    async find(user, ids, now) {
      const keys = [...new Set(ids)].map((id) => fileKey(user, id));
      const items = await table.batchGet(keys, { consistent: true });
      return items.flatMap((item) => fromItem(user, item, now));
    },

    async list(user, { limit, after, now }) {
      const pages = table.pages({
        KeyConditionExpression: "pk = :pk",
        ExpressionAttributeValues: { ":pk": filesPartition(user) },
        ConsistentRead: true,
        ScanIndexForward: false,
        Limit: limit + 1,
        ExclusiveStartKey: after === undefined ? undefined : { ...fileKey(user, after) },
      });
      const files: FileRecord[] = [];
      for await (const { items } of pages) {
        files.push(...items.flatMap((item) => fromItem(user, item, now)));
        if (files.length > limit) break;
      }
      return { files: files.slice(0, limit), more: files.length > limit };
    },

    async markReady({ user_id, id }) {
      await table.update({
        Key: fileKey(user_id, id),
        UpdateExpression: "SET #status = :ready",
        ConditionExpression: "#status = :uploading",
        ExpressionAttributeNames: { "#status": "status" },
        ExpressionAttributeValues: { ":ready": "ready", ":uploading": "uploading" },
      });
    },

    async remove(file, now) {
      const until = Math.max(toSeconds(Date.parse(file.created_at)) + unusedSeconds(), toSeconds(now));
      const asRead = isAsRead(file);
      const { done, item } = await table.update({
        Key: fileKey(file.user_id, file.id),
        UpdateExpression:
          "SET #status = :deleted, expires_at = :until" +
          " REMOVE filename, media_type, bytes, sha256, #session, generation, message",
        ...asRead,
        ExpressionAttributeValues: { ...asRead.ExpressionAttributeValues, ":until": until },
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      });
      return done || item === undefined || item.status === "deleted";
    },

    taking(file, { user, id }, generation, messages) {
      const asRead = isAsRead(file);
      return [
        {
          Update: {
            Key: fileKey(user, file.id),
            UpdateExpression: "SET #session = :session, generation = :generation, message = :message REMOVE expires_at",
            ConditionExpression: `${asRead.ConditionExpression} AND #status = :ready`,
            ExpressionAttributeNames: asRead.ExpressionAttributeNames,
            ExpressionAttributeValues: {
              ...asRead.ExpressionAttributeValues,
              ":ready": "ready",
              ":session": id,
              ":generation": generation,
              ":message": messages.at(-1),
            },
          },
        },
        ...messages.map((message) => ({
          Put: { Item: { ...fileUseKey(user, id, { file: file.id, generation, message }) } },
        })),
      ];
    },

    async *uses({ user, id }, file) {
      const pages = table.pages({
        KeyConditionExpression: "pk = :pk AND begins_with(sk, :prefix)",
        ExpressionAttributeValues: {
          ":pk": sessionKey(user, id),
          ":prefix": file === undefined ? FILE_PREFIX : fileUsePrefix(file),
        },
        ConsistentRead: true,
      });
      for await (const { items } of pages) {
        if (items.length > 0) yield items.map(({ sk }) => parseFileUseKey(String(sk)));
      }
    },

    async clearUses({ user, id }, uses) {
      await table.batchWrite(
        [],
        uses.map((use) => fileUseKey(user, id, use)),
      );
    },
  };
}

/** The condition that the file is not deleted, and that no other message has named it since it was read. */
function isAsRead({ session, generation, message }: FileRecord) {
  const isUsed = session !== undefined;
  return {
    ConditionExpression: `attribute_exists(pk) AND #status <> :deleted AND ${
      isUsed ? "#session = :was AND generation = :wasIn AND message = :wasBy" : "attribute_not_exists(#session)"
    }`,
    ExpressionAttributeNames: { "#status": "status", "#session": "session" },
    ExpressionAttributeValues: {
      ":deleted": "deleted",
      ...(isUsed ? { ":was": session, ":wasIn": generation, ":wasBy": message } : {}),
    },
  };
}

function fromItem(user_id: string, { pk: _pk, sk: _sk, ...item }: Item, now: number): FileRecord[] {
  const file = { ...(item as unknown as Omit<FileRecord, "user_id">), user_id };
  const isExpired = file.expires_at !== undefined && file.expires_at <= toSeconds(now);
  return item.status === "deleted" || isExpired ? [] : [file];
}
