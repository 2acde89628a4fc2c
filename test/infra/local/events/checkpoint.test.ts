import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { openCheckpoint, readPositions } from "../../../../infra/local/events/checkpoint.ts";
import { temporaryDirectory } from "../fixture-assembly.ts";

const { directory, remove } = temporaryDirectory();
const file = path.join(directory, "mapping.json");
const first = "arn:aws:dynamodb:us-east-1:000000000000:table/items/stream/1";
const second = "arn:aws:dynamodb:us-east-1:000000000000:table/items/stream/2";

afterAll(remove);

it("a checkpoint survives a restart, and is ignored after the table was recreated", () => {
  openCheckpoint(file, first).set("shard", "7");
  expect(openCheckpoint(file, first).get("shard")).toBe("7");
  expect(readPositions(directory)).toEqual([{ streamArn: first, sequenceNumber: 7n }]);
  expect(openCheckpoint(file, second).get("shard")).toBeUndefined();
  openCheckpoint(file, second).set("shard", "1");
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ streamArn: second, shards: { shard: "1" } });
});
