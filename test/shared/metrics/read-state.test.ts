import { PutObjectCommand } from "@aws-sdk/client-s3";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createMeasureJob } from "../../../functions/jobs/measure.ts";
import { startSqs } from "../../../infra/local/events/sqs.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { createChangedDays } from "../../../shared/lake/changed-days.dynamodb.ts";
import { createProviderStore } from "../../../shared/llm/providers.dynamodb.ts";
import { providersOf } from "../../../shared/llm/targets.ts";
import { createDeadLetters } from "../../../shared/metrics/dead-letters.aws.ts";
import { createJobBook } from "../../../shared/metrics/job-book.ts";
import { createMetricStore } from "../../../shared/metrics/metric-store.dynamodb.ts";
import { queryMetrics } from "../../../shared/metrics/query-metrics.ts";
import { readState } from "../../../shared/metrics/read-state.ts";
import { createRecorder } from "../../../shared/metrics/recorder.dynamodb.ts";
import { measureStores } from "../../../shared/metrics/store-sizes.aws.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createWorld, NOON, type World } from "../../support/world.ts";

const MINUTE = 60_000;

let engines: Engines;
let world: World;
let sqs: Awaited<ReturnType<typeof startSqs>>;
let queue: SQSClient;
beforeAll(async () => {
  [engines, sqs] = await Promise.all([startEngines(), startSqs({ directory: null, log: () => undefined })]);
  world = createWorld(engines);
  queue = new SQSClient({
    endpoint: sqs.url,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
});
afterAll(async () => {
  queue.destroy();
  await Promise.all([engines.close(), sqs.close()]);
});

const metricsTable = () => createTable(engines.dynamodb, engines.metricsTable);

const stateAt = (now: number, url: string) => {
  const clock = () => now;
  return readState({
    book: createJobBook(metricsTable(), clock),
    sessions: world.stores.sessions,
    changes: createChangedDays(world.table),
    store: createProviderStore(world.table),
    providers: providersOf("https://first.example/v1", ["a", "b@https://second.example/v1"]),
    deadLetters: createDeadLetters(url, queue),
    clock,
  });
};

it("the state of a system at rest says that nothing waits and every circuit is closed", async () => {
  const { jobs, ...state } = await stateAt(NOON, sqs.ensureQueue("idle"));
  expect(jobs.filter(({ late, succeeded_at }) => late || succeeded_at !== null)).toEqual([]);
  const nothing = { count: 0, oldest_at: null };
  expect(state).toEqual({
    active_sessions: 0,
    providers: ["first.example", "second.example"].map((name) => ({
      name,
      circuit: "closed",
      failures: 0,
      opened_at: null,
    })),
    waiting: { dead_letters: nothing, sessions: nothing, lake_days: nothing },
  });
});

it("the state shows the waiting work and its age, and leaves dead letters visible to other readers", async () => {
  const url = sqs.ensureQueue("busy");
  const before = Date.now();
  for (let n = 0; n < 3; n++) {
    await queue.send(new SendMessageCommand({ QueueUrl: url, MessageBody: `letter ${n}` }));
  }
  await world.create("ann", "late", 60);
  await world.create("ann", "later", 120, 3);
  await createChangedDays(world.table).mark(["2026-11-20", "2026-11-18"]);
  const providers = createProviderStore(world.table);
  await providers.countFailure("second.example", NOON);
  await providers.open("second.example", NOON);
  await createJobBook(metricsTable(), () => NOON).succeeded("jobs-reconcile");

  const later = NOON + 200 * MINUTE;
  const first = await stateAt(later, url);
  const { dead_letters, sessions, lake_days } = first.waiting;
  expect(dead_letters.count).toBe(3);
  expect(Date.parse(dead_letters.oldest_at!)).toBeGreaterThanOrEqual(before);
  expect(sessions.count).toBe(2);
  const anchor = await world.stores.sessions.findAnchor({ user: "ann", id: "late" });
  expect(sessions.oldest_at).toBe(anchor!.due_at);
  expect(lake_days).toEqual({ count: 2, oldest_at: "2026-11-18T00:00:00.000Z" });
  expect(first.providers[1]).toEqual({
    name: "second.example",
    circuit: "open",
    failures: 1,
    opened_at: "2026-11-21T12:00:00.000Z",
  });
  expect(first.jobs.find(({ name }) => name === "jobs-reconcile")).toEqual({
    name: "jobs-reconcile",
    succeeded_at: "2026-11-21T12:00:00.000Z",
    late: true,
  });
  expect((await stateAt(later, url)).waiting.dead_letters).toEqual(dead_letters);
});

it("the sizes of stores are in the metrics, and a repeated measurement does not change them", async () => {
  const object = { Bucket: engines.bucket, Key: "files/ann/f1", Body: "hello" };
  await engines.s3.send(new PutObjectCommand(object));
  await engines.s3.send(new PutObjectCommand({ ...object, Key: "exports/ann/e1.zip", Body: "zip" }));
  await createTable(engines.dynamodb, engines.exportTable).put({ Item: { pk: "U#ann#X", sk: "X#e1" } });
  const recorder = createRecorder(metricsTable(), () => NOON);
  const { dynamodb, s3, tableName, metricsTable: metrics, exportTable: exports, bucket } = engines;
  const tables = { conversations: tableName, metrics, exports };
  const measure = () => measureStores({ dynamodb, s3, ...tables, bucket });
  const job = createMeasureJob({ measure, recorder });
  await job();
  const range = {
    granularity: "hour",
    from: new Date(NOON).toISOString(),
    to: new Date(NOON + 1).toISOString(),
  } as const;
  const sizes = async (name: string) => {
    const rows = await queryMetrics(
      { store: createMetricStore(metricsTable()), clock: () => NOON + 1 },
      { name, ...range },
    );
    return Object.fromEntries(rows.map(({ dimensions, max }) => [dimensions.store, max]));
  };
  const bytes = await sizes("store.size");
  expect(Object.keys(bytes).sort()).toEqual([
    "archive",
    "conversations",
    "export_records",
    "exports",
    "files",
    "lake",
    "memories",
    "messages",
    "metrics",
    "reports",
    "sessions",
  ]);
  expect(bytes).toMatchObject({ files: 5, exports: 3, lake: 0 });
  const counted = { files: 1, exports: 1, export_records: 1, archive: 0, sessions: 2, messages: 3 };
  expect(await sizes("store.size.items")).toMatchObject(counted);
  await job();
  expect(await sizes("store.size")).toEqual(bytes);
});
