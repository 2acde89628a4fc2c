import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createSweeper } from "../../../../infra/local/dynamodb/sweeper.ts";

let db: DatabaseSync;
let sweeps: number;
const now = Math.floor(Date.now() / 1000);

/** What the engine's file looks like, with one table `items` whose TTL attribute has an awkward name. */
beforeEach(() => {
  sweeps = 0;
  db = new DatabaseSync(":memory:");
  db.exec(`CREATE TABLE _tables (table_name TEXT, ttl_attribute TEXT, ttl_enabled INTEGER);
    INSERT INTO _tables VALUES ('items', 'gone.at', 1), ('others', NULL, 0);
    CREATE TABLE items (item_json TEXT NOT NULL);`);
});

afterEach(() => {
  vi.useRealTimers();
  db.close();
});

const put = (item: object) => db.prepare("INSERT INTO items VALUES (?)").run(JSON.stringify(item));
const sweeper = (milliseconds = 0) =>
  createSweeper(db, async () => {
    sweeps++;
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    return '{"items_deleted":7}';
  });

describe("a TTL sweep", () => {
  it("leaves the engine alone until something has expired", async () => {
    const sweep = sweeper();
    put({ pk: { S: "a" }, "gone.at": { N: String(now + 100) } });
    put({ pk: { S: "no time" } });
    put({ pk: { S: "no number" }, "gone.at": { S: "1" } });
    expect([await sweep(), sweeps]).toEqual([0, 0]);
    put({ pk: { S: "b" }, "gone.at": { N: String(now - 1) } });
    expect([await sweep(), sweeps]).toEqual([7, 1]);
  });

  it("looks for expired items by an index", async () => {
    await sweeper()();
    const time = `CAST(json_extract(item_json, '$."gone.at".N') AS REAL)`;
    const plan = db.prepare(`EXPLAIN QUERY PLAN SELECT 1 FROM items WHERE ${time} <= 1 LIMIT 1`).all();
    expect(JSON.stringify(plan)).toContain("memocha_ttl_items_gone.at");
  });

  it("runs once at a time, and rests after a long one", async () => {
    vi.useFakeTimers();
    put({ "gone.at": { N: "1" } });
    const sweep = sweeper(1_000);
    const both = Promise.all([sweep(), sweep()]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([await both, sweeps]).toEqual([[7, 7], 1]);
    expect(await sweep()).toBe(0);
    vi.advanceTimersByTime(2_000);
    const after = sweep();
    await vi.advanceTimersByTimeAsync(1_000);
    expect([await after, sweeps]).toEqual([7, 2]);
  });
});
