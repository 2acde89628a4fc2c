import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, expect, it, vi } from "vitest";
import { openCheckpoint, readPositions } from "../../../../infra/local/events/checkpoint.ts";
import { temporaryDirectory } from "../fixture-assembly.ts";

const { directory, remove } = temporaryDirectory();
const file = path.join(directory, "mapping.json");
const first = "arn:aws:dynamodb:us-east-1:000000000000:table/items/stream/1";
const second = "arn:aws:dynamodb:us-east-1:000000000000:table/items/stream/2";

afterAll(remove);
afterEach(() => void vi.useRealTimers());

it("a checkpoint survives a restart, and is ignored after the table was recreated", () => {
  openCheckpoint(file, first).set("shard", "7");
  expect(openCheckpoint(file, first).get("shard")).toBe("7");
  expect(readPositions(directory)).toEqual([{ streamArn: first, sequenceNumber: 7n }]);
  expect(openCheckpoint(file, second).get("shard")).toBeUndefined();
  openCheckpoint(file, second).set("shard", "1");
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ streamArn: second, shards: { shard: "1" } });
});

it("a checkpoint writes the first position of a shard at once, and later ones together, each second or when it is told to", () => {
  vi.useFakeTimers();
  const checkpoint = openCheckpoint(path.join(directory, "later.json"), first);
  const stored = () => openCheckpoint(path.join(directory, "later.json"), first).get("shard");
  checkpoint.set("shard", "1");
  expect(stored()).toBe("1");
  checkpoint.set("shard", "2");
  checkpoint.set("shard", "3");
  expect(stored()).toBe("1");
  vi.advanceTimersByTime(1000);
  expect(stored()).toBe("3");
  checkpoint.set("shard", "4");
  checkpoint.save();
  expect(stored()).toBe("4");
});
