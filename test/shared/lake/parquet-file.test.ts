import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect, it } from "vitest";
import { createParquetFile } from "../../../shared/lake/parquet-file.ts";
import type { Row } from "../../../shared/lake/tables.ts";

const USERS = 50;
const ROWS = 45_000;

const row = (n: number): Row<"session_summaries"> => ({
  user_hash: String(Math.floor((n * USERS) / ROWS)).padStart(32, "0"),
  session_key: String(n).padStart(32, "0"),
  session_id: `session-${n}`,
  generation: 1,
  created_at: 1_800_000_000_123 + n,
  first_message_at: null,
  last_message_at: null,
  archived_at: 1_800_000_100_000,
  duration_seconds: n / 4,
  message_count: n,
  user_messages: 0,
  assistant_messages: 0,
  content_chars: 7,
  input_tokens: n % 2 === 0 ? n : null,
  output_tokens: null,
  cost_usd: null,
  pinned: n % 3 === 0,
  ttl_seconds: 604_800,
});

it("a Parquet file is read back by DuckDB, and the statistics of its row groups separate users", async () => {
  const directory = mkdtempSync(path.join(tmpdir(), "memocha-parquet-"));
  try {
    const chunks: Uint8Array[] = [];
    const file = createParquetFile("session_summaries", async (bytes) => {
      chunks.push(bytes);
    });
    for (let n = 0; n < ROWS; n++) await file.add(row(n));
    // Full row groups are emitted at once.
    expect(chunks).toHaveLength(2);
    await file.finish();
    const name = path.join(directory, "summaries.parquet");
    writeFileSync(name, Buffer.concat(chunks));

    const connection = await (await DuckDBInstance.create(":memory:")).connect();
    const read = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson();
    expect(
      await read(`select count(*)::int, sum(message_count)::int, count(input_tokens)::int, count(*) filter (pinned)::int,
        min(created_at), max(duration_seconds), count(first_message_at)::int from '${name}'`),
    ).toEqual([[ROWS, (ROWS * (ROWS - 1)) / 2, ROWS / 2, ROWS / 3, "2027-01-15 08:00:00.123", (ROWS - 1) / 4, 0]]);
    expect(
      await read(`select row_group_num_rows::int, stats_min_value, stats_max_value, compression
        from parquet_metadata('${name}') where path_in_schema = 'user_hash' order by row_group_id`),
    ).toEqual([
      [20_000, "0".padStart(32, "0"), "22".padStart(32, "0"), "ZSTD"],
      [20_000, "22".padStart(32, "0"), "44".padStart(32, "0"), "ZSTD"],
      [5_000, "44".padStart(32, "0"), "49".padStart(32, "0"), "ZSTD"],
    ]);
    connection.closeSync();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

it("a Parquet file ends a row group early when texts are long", async () => {
  const chunks: Uint8Array[] = [];
  const file = createParquetFile("events", async (bytes) => {
    chunks.push(bytes);
  });
  const metadata = "x".repeat(5 * 1024 * 1024);
  const event = { type: "custom", name: null, user_hash: "u", session_id: null, message_id: null, value: null };
  const counts: number[] = [];
  for (let n = 0; n < 4; n++) {
    await file.add({ ...event, event_id: `${n}`, created_at: 0, metadata });
    counts.push(chunks.length);
  }
  expect(counts).toEqual([0, 1, 1, 2]);
  await file.finish();
});
