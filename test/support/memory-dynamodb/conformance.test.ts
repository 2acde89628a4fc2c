import {
  BatchGetCommand,
  BatchWriteCommand,
  DeleteCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SESSIONS_BY_ACTIVITY, SESSIONS_DUE } from "../../../shared/dynamodb/tables.ts";
import { type Engines, startEngines } from "../engines.ts";
import { type Random, randomOf } from "../random.ts";
import { createBoth } from "./both.ts";

import { liveAtRandom } from "./random-life.ts";

let engines: Engines;
beforeAll(async () => {
  engines = await startEngines();
});
afterAll(() => engines.close());

test("answers every call that the product makes in a long random life as the embedded engine does", async () => {
  const { client, calls } = createBoth(engines);
  await liveAtRandom(client, engines, randomOf("a life of calls"), 200);
  const kinds = ["GetCommand", "PutCommand", "UpdateCommand", "QueryCommand", "BatchGetCommand", "BatchWriteCommand"];
  for (const kind of [...kinds, "TransactWriteCommand", "TransactWriteCommand refused", "UpdateCommand refused"]) {
    expect(calls[kind], kind).toBeGreaterThan(0);
  }
  expect(calls.SearchVectorsCommand).toBeGreaterThan(0);
});

test("answers random single calls, also wrong ones, as the embedded engine does", async () => {
  const { client, calls } = createBoth(engines);
  const random = randomOf("single calls");
  for (let n = 0; n < 600; n++) await client.send(randomCall(random) as never).catch(thrownByService);
  expect(Object.keys(calls).length).toBeGreaterThan(10);
});

/** Throws a difference between the engines again, because it is not an error of DynamoDB. */
function thrownByService(error: Error): void {
  if (!("$metadata" in error)) throw error;
}

/** Updates that DynamoDB refuses, always or on some items. */
const WRONG_UPDATES: [string, Record<string, unknown>][] = [
  ["ADD title :n", { ":n": 1 }],
  ["SET due_at = :d, n = n", { ":d": "d9" }],
  ["SET n = :n, n = :n", { ":n": 1 }],
  ["SET pk = :n", { ":n": "x" }],
];

const WRONG_CONDITIONS: [string, object][] = [["n = :missing", { ":n": 1 }]];

function randomCall(random: Random): object {
  const TableName = engines.tableName;
  const key = () => ({ pk: `raw ${random.below(2)}`, sk: `k${random.below(6)}` });
  const item = () => ({
    ...key(),
    n: random.below(4),
    ...(random.chance(0.5) ? { due_shard: "raw", due_at: `d${random.below(3)}` } : {}),
    ...(random.chance(0.5) ? { owner: "raw", updated_at: `u${random.below(3)}`, title: "t", hidden: true } : {}),
    ...(random.chance(0.2) ? { list: [1, { a: "b" }], bytes: new Uint8Array([1, 2]), nothing: null } : {}),
  });
  const condition = (wrong: [string, object][] = []) => {
    const [ConditionExpression, ...more] = random.pick<[string, ...object[]]>([
      ["attribute_not_exists(pk)"],
      ["attribute_exists(pk) AND (n = :n OR n > :n)", { ":n": 2 }],
      ["title <> :n", { ":n": "x" }],
      ["n <> :n AND attribute_not_exists(title)", { ":n": 1 }],
      ["n BETWEEN :low AND :high", { ":low": 1, ":high": 2 }],
      ["NOT n <= :n", { ":n": 1 }],
      ["begins_with(due_at, :n)", { ":n": "d1" }],
      ...wrong,
    ]);
    const ReturnValuesOnConditionCheckFailure = random.pick(["ALL_OLD", "NONE"] as const);
    return {
      ConditionExpression,
      ...(more[0] ? { ExpressionAttributeValues: more[0] } : {}),
      ReturnValuesOnConditionCheckFailure,
    };
  };
  const update = (more: [string, Record<string, unknown>][] = []) => {
    const [UpdateExpression, ExpressionAttributeValues] = random.pick<[string, Record<string, unknown>?]>([
      ["SET n = :n, title = if_not_exists(title, :t) REMOVE due_at ADD c :n", { ":n": 3, ":t": "new" }],
      ["ADD n :n", { ":n": -1 }],
      ["SET nothing = :null", { ":null": null }],
      ["REMOVE title, due_shard"],
      ...more,
    ]);
    return { UpdateExpression, ...(ExpressionAttributeValues ? { ExpressionAttributeValues } : {}) };
  };
  const maybe = (more: [string, object][] = []) => (random.chance(0.5) ? condition(more) : {});
  const ReturnValues = random.pick(["NONE", "ALL_NEW", "UPDATED_OLD"] as const);
  const plainValues = { ReturnValues: random.pick(["NONE", "ALL_OLD"] as const) };
  switch (random.below(8)) {
    case 0:
      return new PutCommand({ TableName, Item: item(), ...maybe(WRONG_CONDITIONS), ...plainValues });
    case 1:
      return new UpdateCommand({ TableName, Key: key(), ...update(WRONG_UPDATES), ReturnValues });
    case 2:
      return new DeleteCommand({ TableName, Key: key(), ...maybe(WRONG_CONDITIONS), ...plainValues });
    case 3:
      return new BatchGetCommand({
        RequestItems: { [TableName]: { Keys: [key(), key()], ConsistentRead: random.chance(0.5) } },
      });
    case 4: {
      const requests = [{ PutRequest: { Item: item() } }, { DeleteRequest: { Key: key() } }];
      return new BatchWriteCommand({ RequestItems: { [TableName]: requests } });
    }
    case 5: {
      const TransactItems = [
        { Put: { TableName, Item: item(), ...maybe() } },
        { ConditionCheck: { TableName, Key: key(), ...condition() } },
        ...(random.chance(0.5) ? [{ Update: { TableName, Key: key(), ...update() } }] : []),
        ...(random.chance(0.3) ? [{ Delete: { TableName, Key: key(), ...maybe() } }] : []),
      ] as NonNullable<ConstructorParameters<typeof TransactWriteCommand>[0]["TransactItems"]>;
      return new TransactWriteCommand({ TransactItems });
    }
    default:
      return new QueryCommand({ TableName, ...randomQuery(random) });
  }
}

function randomQuery(random: Random) {
  const how = {
    ScanIndexForward: random.chance(0.5),
    ...(random.chance(0.6) ? { Limit: 1 + random.below(4) } : {}),
    ...(random.chance(0.2) ? { Select: "COUNT" as const } : {}),
  };
  const [KeyConditionExpression, ExpressionAttributeValues] = random.pick<[string, Record<string, unknown>]>([
    ["pk = :pk", { ":pk": "raw 0" }],
    ["pk = :pk AND sk >= :low", { ":pk": "raw 1", ":low": "k2" }],
    ["pk = :pk AND sk BETWEEN :low AND :high", { ":pk": "raw 0", ":low": "k1", ":high": "k3" }],
    ["pk = :pk AND begins_with(sk, :low)", { ":pk": "raw 0", ":low": "k" }],
  ]);
  const filter = random.chance(0.3)
    ? {
        FilterExpression: "attribute_not_exists(title) OR n <= :n",
        ExpressionAttributeValues: { ...ExpressionAttributeValues, ":n": 2 },
      }
    : { ExpressionAttributeValues };
  if (random.chance(0.6)) return { ...how, ConsistentRead: random.chance(0.5), KeyConditionExpression, ...filter };
  const [IndexName, name] = random.pick([
    [SESSIONS_BY_ACTIVITY, "owner"],
    [SESSIONS_DUE, "due_shard"],
  ] as const);
  const KeyCondition = {
    KeyConditionExpression: "#name = :v",
    ExpressionAttributeNames: { "#name": name },
    ExpressionAttributeValues: { ":v": "raw" },
  };
  // DynamoDB does not promise an order of items with the same index key, so a limit could cut them anywhere.
  return { ...KeyCondition, IndexName, Select: "COUNT" as const };
}
