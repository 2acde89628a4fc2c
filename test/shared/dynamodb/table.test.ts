import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { describe, expect, it, vi } from "vitest";
import { createTable } from "../../../shared/dynamodb/table.ts";

const failing = (name: string) => Object.assign(new Error(name), { name });

/** A table whose client fails with these errors, one after the other, and then answers. */
function tableThat(...errors: Error[]) {
  const send = vi.fn(async () => {
    const error = errors.shift();
    if (error) throw error;
    return { Attributes: { n: 1 } };
  });
  return { table: createTable({ send } as unknown as DynamoDBDocumentClient, "table"), send };
}

const conflicts = (count: number) => Array.from({ length: count }, () => failing("TransactionConflictException"));
const Key = { pk: "a", sk: "b" };

describe("a table", () => {
  it("waits for a transaction that is under way on the item", async () => {
    const { table, send } = tableThat(...conflicts(2));
    expect(await table.update({ Key })).toEqual({ done: true, item: { n: 1 } });
    expect(send).toHaveBeenCalledTimes(3);
    const other = tableThat(...conflicts(1), failing("ConditionalCheckFailedException"));
    expect(await other.table.put({ Item: Key })).toEqual({ done: false, item: undefined });
  });

  it("gives up in the end, so that the client comes again", async () => {
    const { table, send } = tableThat(...conflicts(100));
    await expect(table.put({ Item: Key })).rejects.toMatchObject({ code: "unavailable", retryAfter: 1 });
    expect(send).toHaveBeenCalledTimes(10);
  });

  it("says whether the store is to be blamed, or the call", async () => {
    const throttled = tableThat(failing("ThrottlingException"));
    await expect(throttled.table.update({ Key })).rejects.toMatchObject({ code: "unavailable" });
    const wrong = tableThat(failing("ValidationException"));
    await expect(wrong.table.update({ Key })).rejects.toMatchObject({ code: "internal" });
    expect(wrong.send).toHaveBeenCalledTimes(1);
  });
});
