import { execFile } from "node:child_process";
import { createReadStream, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { createGunzip, gunzipSync, gzipSync, zstdDecompressSync } from "node:zlib";
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { DuckDBInstance } from "@duckdb/node-api";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { createLakeCopy } from "../../infra/cli/sql/lake-copy.ts";
import { startS3 } from "../../infra/local/s3/s3-server.ts";
import { createArchive } from "../../shared/archive/archive.s3.ts";
import { createObjects } from "../../shared/archive/objects.s3.ts";
import { LINEAR } from "../../shared/session/tree.ts";
import { mebibytes, printTable } from "./support/print-table.ts";

const DAY = 86_400_000;
const DAYS = 30;
const WEEK = 7;
const USERS = 500;
const PARALLEL = 32;

/** Bytes at the end of a file that Athena's engine reads to find the footer, whatever its length (Trino's ParquetReader). */
const FOOTER = 48 * 1024;
const credentials = { accessKeyId: "local", secretAccessKey: "local" };
const bucket = "archive";

/** Archives every conversation of a JSON Lines file over 30 days, builds the lake, and compares it with gzipped JSON Lines and DuckDB. */
export async function run([file]: string[]): Promise<void> {
  if (!file) throw new Error("npm run bench -- lake FILE");
  const scratch = mkdtempSync(path.join(tmpdir(), "memocha-lake-bench-"));
  const server = await startS3({ directory: path.join(scratch, "s3"), ...credentials, log: () => undefined });
  const s3 = new S3Client({ endpoint: server.url, region: "us-east-1", credentials, forcePathStyle: true });
  try {
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
    const archived = await archiveAll(file, s3);
    const first = await build(server.url);
    const again = await build(server.url);
    const copy = createLakeCopy(s3, bucket, path.join(scratch, "copy"));
    const messages = await copy.refresh("lake/messages/");
    const summaries = await copy.refresh("lake/session_summaries/");

    printTable(
      `The lake of ${path.basename(file)}: ${archived.sessions} sessions, ${archived.messages} messages, ${DAYS} days`,
      ["", "first build", "built again"],
      [
        ["seconds", first.seconds, again.seconds],
        ["rows written", first.rows, again.rows],
        ["rows/s", first.rows / first.seconds, again.rows / again.seconds],
        ["partitions written", first.partitions, again.partitions],
        ["peak memory of the builder", mebibytes(first.peakBytes), mebibytes(again.peakBytes)],
      ],
    );
    const bytesOf = (files: string[]) => files.reduce((all, each) => all + statSync(each).size, 0);
    printTable(
      "Files",
      ["", "files", "files a day", "bytes a day"],
      [
        [
          "archive objects",
          archived.sessions,
          archived.sessions / DAYS,
          mebibytes((await archiveBytes(s3, "")) / DAYS),
        ],
        ["messages", messages.length, messages.length / DAYS, mebibytes(bytesOf(messages) / DAYS)],
        ["session_summaries", summaries.length, summaries.length / DAYS, mebibytes(bytesOf(summaries) / DAYS)],
      ],
    );
    await compareReading(s3, messages);
    await compareWriting(messages, summaries, archived.messages, first.seconds, scratch);
  } finally {
    s3.destroy();
    await server.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function archiveAll(file: string, s3: S3Client): Promise<{ sessions: number; messages: number }> {
  const archive = createArchive(async () => createObjects(s3, bucket));
  const today = Math.floor(Date.now() / DAY) * DAY;
  const counts = { sessions: 0, messages: 0 };
  const under = new Set<Promise<unknown>>();
  const raw = createReadStream(file);
  for await (const line of createInterface({ input: file.endsWith(".gz") ? raw.pipe(createGunzip()) : raw })) {
    const record = JSON.parse(line) as { messages: { role: string; text?: string; content?: string }[] };
    const n = counts.sessions++;
    const begun = today - (n % DAYS) * DAY + (n % 80_000) * 1000;
    const created_at = new Date(begun).toISOString();
    const messages = record.messages.map(({ role, text, content }, k) => ({
      id: uuidOf(begun + k * 30_000, n * 1000 + k),
      role: role as "user",
      content: content ?? text ?? "",
      created_at: new Date(begun + k * 30_000).toISOString(),
    }));
    counts.messages += messages.length;
    const header = {
      user_id: `user-${n % USERS}`,
      id: uuidOf(begun, n),
      title: null,
      metadata: {},
      created_at,
      ttl_seconds: 604_800,
      pinned: false,
      live_generation: 1,
      seed: `seed ${n}`,
      tree: LINEAR,
    };
    const write = archive.write(header, async function* () {
      yield messages;
    });
    const done = write.finally(() => under.delete(done));
    under.add(done);
    if (under.size >= PARALLEL) await Promise.race(under);
  }
  await Promise.all(under);
  return counts;
}

/** Its end is as random as in the service's ids, which do not compress well. */
function uuidOf(time: number, n: number): string {
  const hex = time.toString(16).padStart(12, "0");
  const tail = (BigInt(n + 1) * 0x9e3779b97f4a7c15n).toString(16).slice(-15).padStart(15, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${tail.slice(0, 3)}-8${tail.slice(3, 6)}-${tail.slice(3)}`;
}

interface Built {
  rows: number;
  partitions: number;
  seconds: number;
  peakBytes: number;
}

async function build(endpoint: string): Promise<Built> {
  const script = path.join(import.meta.dirname, "support", "build-lake.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [script, bucket], {
    env: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
  });
  return JSON.parse(stdout) as Built;
}

async function* objectsOf(s3: S3Client, Prefix: string) {
  let ContinuationToken: string | undefined;
  do {
    const page = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix, ContinuationToken }));
    yield* page.Contents ?? [];
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken);
}

async function archiveBytes(s3: S3Client, below: string): Promise<number> {
  let bytes = 0;
  for await (const { Size = 0 } of objectsOf(s3, `archive/${below}`)) bytes += Size;
  return bytes;
}

/** Bytes that a sum over one column of one week reads, in Parquet and in gzipped JSON Lines of the same days. */
async function compareReading(s3: S3Client, files: readonly string[]): Promise<void> {
  const week = files.toSorted().slice(-WEEK);
  const read = { objects: 0, packed: 0, parquet: 0, sums: [0, 0] as [number, number] };
  for (const file of week) {
    const day = /dt=([\d-]+)/.exec(file)?.[1] ?? "";
    const whole = await asyncBufferFromFile(file);
    const counting = {
      byteLength: whole.byteLength,
      async slice(start: number, end?: number) {
        read.parquet += (end ?? whole.byteLength) - (start < 0 ? whole.byteLength + start : start);
        return whole.slice(start, end);
      },
    };
    const rows = await parquetReadObjects({
      file: counting,
      metadata: await parquetMetadataAsync(counting, { initialFetchSize: FOOTER }),
      columns: ["content_chars"],
      compressors: { ZSTD: (bytes) => zstdDecompressSync(bytes) },
    });
    for (const { content_chars } of rows) read.sums[0] += Number(content_chars);
    const lines: string[] = [];
    for await (const { Key, Size = 0 } of objectsOf(s3, `archive/dt=${day}/`)) {
      read.objects += Size;
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
      lines.push(gunzipSync((await Body?.transformToByteArray()) ?? new Uint8Array()).toString("utf8"));
    }
    const text = lines.join("");
    read.packed += gzipSync(text).length;
    for (const line of text.split("\n").filter(Boolean)) {
      const { type, content } = JSON.parse(line) as { type: string; content: string };
      if (type === "message") read.sums[1] += [...content].length;
    }
  }
  if (read.sums[0] !== read.sums[1]) throw new Error(`the sums differ: ${read.sums.join(" and ")}`);
  printTable(
    `Bytes read by the sum of content_chars over one week (${read.sums[0]})`,
    ["", "", "share"],
    [
      ["archive objects, gzipped JSON Lines", mebibytes(read.objects), 1],
      ["the same lines in one gzipped file a day", mebibytes(read.packed), read.packed / read.objects],
      ["Parquet: one column of seven files", mebibytes(read.parquet), read.parquet / read.objects],
      ["  against one gzipped file a day", "", read.parquet / read.packed],
    ],
  );
}

/** DuckDB writes the same rows, with the same order and compression, one file per day. */
async function compareWriting(
  messages: readonly string[],
  summaries: readonly string[],
  expected: number,
  seconds: number,
  scratch: string,
): Promise<void> {
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  const load = async (table: string, files: readonly string[]) => {
    const list = files.map((each) => `'${each}'`).join(", ");
    await connection.run(`create table ${table} as select * from read_parquet([${list}], hive_partitioning = true)`);
  };
  await load("messages", messages);
  await load("session_summaries", summaries);
  const [[count] = []] = (await connection.runAndReadAll("select count(*)::int from messages")).getRowsJson();
  const doubles = await connection.runAndReadAll(
    "select (select count(*)::int from messages) - (select count(*)::int from (select distinct session_key, message_id from messages))",
  );
  const [[doubled] = []] = doubles.getRowsJson();

  const start = performance.now();
  for (const table of ["messages", "session_summaries"]) {
    await connection.run(`copy (select * from ${table} order by dt, user_hash, session_key) to '${scratch}/${table}-duckdb'
      (format parquet, compression zstd, row_group_size 20480, partition_by (dt))`);
  }
  const duckSeconds = (performance.now() - start) / 1000;
  const [[duckBytes] = []] = (
    await connection.runAndReadAll(`select sum(size)::double from read_blob('${scratch}/messages-duckdb/**/*.parquet')`)
  ).getRowsJson();
  const ours = messages.reduce((all, each) => all + statSync(each).size, 0);
  printTable(
    "Against DuckDB's COPY of the same rows",
    ["", "builder", "DuckDB"],
    [
      ["seconds (the builder also lists, fetches and unpacks the archive)", seconds, duckSeconds],
      ["bytes of messages", mebibytes(ours), mebibytes(Number(duckBytes))],
    ],
  );
  printTable(
    "In lake",
    ["", "messages"],
    [
      ["archived", expected],
      ["in lake", Number(count)],
      ["lost", expected - (Number(count) - Number(doubled))],
      ["duplicated", Number(doubled)],
    ],
  );
  connection.closeSync();
}
