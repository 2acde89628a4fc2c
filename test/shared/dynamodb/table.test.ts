import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { createTable, type Item } from "../../../shared/dynamodb/table.ts";

// No waiting between attempts.
beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0));

const failing = (name: string) => Object.assign(new Error(name), { name });

/** Creates a table whose client first throws these errors, and then answers. */
function tableThat(...errors: Error[]) {
  const send = vi.fn(async (_command: { input: unknown }) => {
    const error = errors.shift();
    if (error) throw error;
    return { Attributes: { n: 1 } };
  });
  return { table: createTable({ send } as unknown as DynamoDBDocumentClient, "table"), send };
}

const conflicts = (count: number) => Array.from({ length: count }, () => failing("TransactionConflictException"));
const Key = { pk: "a", sk: "b" };

describe("a table", () => {
  it("waits for a running transaction on the item", async () => {
    const { table, send } = tableThat(...conflicts(2));
    expect(await table.update({ Key })).toEqual({ done: true, item: { n: 1 } });
    expect(send).toHaveBeenCalledTimes(3);
    const other = tableThat(...conflicts(1), failing("ConditionalCheckFailedException"));
    expect(await other.table.put({ Item: Key })).toEqual({ done: false, item: undefined });
  });

  it("stops after ten attempts and asks the client to retry", async () => {
    const { table, send } = tableThat(...conflicts(100));
    await expect(table.put({ Item: Key })).rejects.toMatchObject({ code: "unavailable", retryAfter: 1 });
    expect(send).toHaveBeenCalledTimes(10);
  });

  it.each([
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "TransactionInProgressException",
    "InternalServerError",
    "ServiceUnavailable",
    "TimeoutError",
  ])("reports that the store does not answer after %s", async (name) => {
    const cause = failing(name);
    const { table } = tableThat(cause);
    const says = { code: "unavailable", message: "the store does not answer", retryAfter: 1, cause };
    await expect(table.get(Key)).rejects.toMatchObject(says);
  });

  it.each(["ECONNRESET", "ECONNREFUSED", "EPIPE"])(
    "reports that the store does not answer after a lost connection: %s",
    async (code) => {
      const { table } = tableThat(Object.assign(new Error("lost"), { code }));
      await expect(table.get(Key)).rejects.toMatchObject({ code: "unavailable", retryAfter: 1 });
    },
  );

  it("reports an internal error if the store refuses a call, and does not repeat it", async () => {
    const cause = failing("ValidationException");
    const { table, send } = tableThat(cause);
    const says = { code: "internal", message: "the store refused a call", cause };
    await expect(table.update({ Key })).rejects.toMatchObject(says);
    expect(send).toHaveBeenCalledTimes(1);
  });

  it("adds its name to every call", async () => {
    const { table, send } = tableThat();
    await table.get(Key);
    await table.put({ Item: Key });
    await table.update({ Key, UpdateExpression: "SET n = n" });
    await table.query({ KeyConditionExpression: "pk = :pk" });
    await table.transact([{ Delete: { Key } }]);
    const inputs = send.mock.calls.map(([command]) => command.input);
    expect(inputs).toMatchObject([
      { TableName: "table", Key, ConsistentRead: true },
      { TableName: "table", Item: Key },
      { TableName: "table", Key, UpdateExpression: "SET n = n" },
      { TableName: "table", KeyConditionExpression: "pk = :pk" },
      { TransactItems: [{ Delete: { TableName: "table", Key, ReturnValuesOnConditionCheckFailure: "ALL_OLD" } }] },
    ]);
  });
});

describe("the pages of a query", () => {
  const answers = [
    { Items: [{ n: 1 }], LastEvaluatedKey: { n: 1 }, Count: 1 },
    { Items: [], LastEvaluatedKey: { n: 2 } },
    {},
  ];

  function pagedTable() {
    const starts: unknown[] = [];
    const send = vi.fn(async ({ input }: { input: { ExclusiveStartKey?: unknown } }) => {
      starts.push(input.ExclusiveStartKey);
      return answers[starts.length - 1];
    });
    return { table: createTable({ send } as unknown as DynamoDBDocumentClient, "table"), starts };
  }

  it("are read to the last one, also after an empty page", async () => {
    const { table, starts } = pagedTable();
    const pages: unknown[] = [];
    for await (const { items, count } of table.pages({ ExclusiveStartKey: { n: 0 } })) pages.push([items, count]);
    expect(pages).toEqual([
      [[{ n: 1 }], 1],
      [[], 0],
      [[], 0],
    ]);
    expect(starts).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
  });

  it("are read only when the caller asks for them", async () => {
    const { table, starts } = pagedTable();
    for await (const { items } of table.pages({})) if (items.length > 0) break;
    expect(starts).toEqual([undefined]);
  });
});

describe("a transaction", () => {
  const cancelled = (...CancellationReasons: { Code: string; Item?: unknown }[]) =>
    Object.assign(failing("TransactionCanceledException"), { CancellationReasons });
  const actions = [{ Delete: { Key } }, { Put: { Item: Key } }];

  it.each(["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"])(
    "is repeated after it was cancelled because of %s",
    async (Code) => {
      const { table, send } = tableThat(cancelled({ Code: "None" }, { Code }));
      expect(await table.transact(actions)).toBeNull();
      expect(send).toHaveBeenCalledTimes(2);
    },
  );

  it("returns which conditions failed on which items, also if another action met a conflict", async () => {
    const Item = { pk: { S: "a" }, n: { N: "5" } };
    const { table, send } = tableThat(
      cancelled({ Code: "ConditionalCheckFailed", Item }, { Code: "TransactionConflict" }),
    );
    expect(await table.transact(actions)).toEqual([
      { failed: true, item: { pk: "a", n: 5 } },
      { failed: false, item: undefined },
    ]);
    expect(send).toHaveBeenCalledTimes(1);
  });

  it("that is cancelled for another reason is an internal error", async () => {
    const { table, send } = tableThat(cancelled({ Code: "ValidationError" }, { Code: "None" }));
    await expect(table.transact(actions)).rejects.toMatchObject({ code: "internal" });
    expect(send).toHaveBeenCalledTimes(1);
  });

  it("that meets a conflict ten times asks the client to retry", async () => {
    const errors = Array.from({ length: 10 }, () => cancelled({ Code: "TransactionConflict" }));
    const { table, send } = tableThat(...errors);
    await expect(table.transact(actions)).rejects.toMatchObject({ code: "unavailable", retryAfter: 1 });
    expect(send).toHaveBeenCalledTimes(10);
  });
});

describe("a batch", () => {
  /** Creates a table whose client leaves the last request of each call undone, if there is more than one. */
  function lazyTable() {
    const calls: number[] = [];
    const send = vi.fn(async ({ input }: { input: { RequestItems: Record<string, unknown> } }) => {
      const [request] = Object.values(input.RequestItems) as [{ Keys: Item[] } | Item[]];
      const all = Array.isArray(request) ? request : request.Keys;
      calls.push(all.length);
      const left = all.length > 1 ? all.slice(-1) : [];
      if (Array.isArray(request)) return { UnprocessedItems: { table: left } };
      const done = all.slice(0, all.length - left.length);
      return { Responses: { table: done }, UnprocessedKeys: { table: { Keys: left } } };
    });
    return { table: createTable({ send } as unknown as DynamoDBDocumentClient, "table"), calls };
  }
  const keys = Array.from({ length: 230 }, (_, n) => ({ pk: `k${n}`, sk: "s" }));

  it("is read 100 keys at a time, and unprocessed keys are read again", async () => {
    const { table, calls } = lazyTable();
    expect(await table.batchGet(keys)).toEqual(keys);
    expect(calls).toEqual([100, 1, 100, 1, 30, 1]);
  });

  it("is written 25 items at a time, and unprocessed items are written again", async () => {
    const { table, calls } = lazyTable();
    await table.batchWrite(keys.slice(0, 30), keys.slice(30, 60));
    expect(calls.toSorted((a, b) => b - a)).toEqual([25, 25, 10, 1, 1, 1]);
  });

  it("that the store never finishes asks the client to retry", async () => {
    const send = vi.fn(async ({ input }: { input: { RequestItems: unknown } }) => ({
      UnprocessedItems: input.RequestItems,
    }));
    const table = createTable({ send } as unknown as DynamoDBDocumentClient, "table");
    await expect(table.batchWrite(keys.slice(0, 1), [])).rejects.toMatchObject({ code: "unavailable", retryAfter: 1 });
    expect(send).toHaveBeenCalledTimes(10);
  });
});
