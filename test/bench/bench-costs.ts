import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { paginateScan } from "@aws-sdk/lib-dynamodb";
import type { DynamoDBRecord } from "aws-lambda";
import { createTable } from "../../shared/dynamodb/table.ts";
import { fold } from "../../shared/metrics/fold.ts";
import { createMetricStore } from "../../shared/metrics/metric-store.dynamodb.ts";
import { createRecorder } from "../../shared/metrics/recorder.dynamodb.ts";
import { refuseWrites } from "../../shared/privacy/refuse-writes.ts";
import { appendMessages } from "../../shared/session/append-messages.ts";
import { costTable, SESSION, type Units } from "../support/cost-table.ts";
import { type Engines, startEngines } from "../support/engines.ts";
import { createMemoryWorld } from "../support/memory-world.ts";
import { type Random, randomOf } from "../support/random.ts";
import { meter } from "./support/meter.ts";

const USER = "bench";

/** Number of sessions for averages. */
const SESSIONS = 5;

/** Numbers of searches, and of metrics per hour, for averages. */
const SEARCHES = 10;
const METRICS = 1000;

/** Bytes that DynamoDB bills per item beside its attributes, in the table and in each index (AWS: 100 bytes each). */
const ITEM_OVERHEAD = 100;

/** Prints what a million messages cost. */
export async function run(): Promise<void> {
  const engines = await startEngines();
  try {
    process.stdout.write(`\nA million messages of 1 KB, in sessions of ${SESSION}\n\n`);
    process.stdout.write(costTable(await measureUnits(engines)));
  } finally {
    await engines.close();
  }
}

/** Measures the request units and bytes of one message, from its capture to its archive. */
export async function measureUnits(engines: Engines): Promise<Units> {
  const { measure } = meter(engines.dynamodb);
  const world = createMemoryWorld(engines);
  const random = randomOf("costs");
  const ids = Array.from({ length: SESSIONS }, (_, n) => `session-${n}`);
  const count = SESSIONS * SESSION;

  for (const id of ids) await world.create(USER, id, 3600);
  const append = await measure(async () => {
    for (const id of ids) {
      for (let n = 0; n < SESSION; n++) {
        const request = { seed: `${id} ${n}`, at: world.stores.clock() + n };
        const message = { role: n % 2 === 0 ? "user" : "assistant", content: kilobyte(random) } as const;
        // As the handler does.
        await refuseWrites(world.persons.find(USER), () =>
          appendMessages(world.stores, { user: USER, id }, [message], request),
        );
      }
    }
  });
  const hot = await storedBytes(engines, (sk) => sk.startsWith("M#"));

  const batches = await Promise.all(ids.map((id) => world.records(USER, id)));
  const remember = await measure(async () => {
    for (const Records of batches) await world.job({ Records });
  });
  const memories = await storedBytes(engines, (sk) => sk.startsWith("E#"));
  const search = await measure(async () => {
    for (let n = 0; n < SEARCHES; n++) await world.recall(USER, { text: kilobyte(random).slice(0, 60), limit: 12 });
  });

  const metric = await measureMetrics(engines, measure);

  world.advance(3_601_000);
  const records: DynamoDBRecord[] = [];
  for (const id of ids) records.push((await world.sweep(USER, id)) ?? fail());
  const archive = await measure(() => world.archiveJob({ Records: records }));
  const { Contents = [] } = await engines.s3.send(new ListObjectsV2Command({ Bucket: engines.bucket }));

  return {
    append: { wru: append.wru / count, rru: append.rru / count },
    remember: {
      wru: remember.wru / count,
      rru: remember.rru / count,
      vectorWriteBytes: remember.vectorWriteBytes / count,
    },
    search: { rru: search.rru / SEARCHES, vectorBytes: search.vectorBytes / SEARCHES },
    metric,
    archive: { wru: archive.wru / count, rru: archive.rru / count },
    bytes: {
      hot: hot.bytes / hot.items,
      // The item is in the table and, without its vector, in the index by time.
      memory: (memories.bytes + memories.withoutVector) / memories.items,
      vectorIndex: remember.vectorWriteBytes / count + ITEM_OVERHEAD,
      object: Contents.reduce((sum, { Size = 0 }) => sum + Size, 0) / count,
    },
  };
}

type Measure = ReturnType<typeof meter>["measure"];

async function measureMetrics(engines: Engines, measure: Measure): Promise<Units["metric"]> {
  let now = Date.parse("2026-11-21T12:00:00.000Z");
  const table = createTable(engines.dynamodb, engines.metricsTable);
  const recorder = createRecorder(table, () => now);
  const recording = await measure(async () => {
    for (let n = 0; n < METRICS; n++) {
      recorder.note({
        kind: "api.request",
        dimensions: { route: "POST /v1/sessions/{id}/messages", status: "201" },
        measures: { duration_ms: 10 + n, messages: 1 },
        user: USER,
        id: `request-${n}`,
      });
      if (n % 25 === 24) await recorder.flush();
    }
  });
  now += 3_600_000;
  const folding = await measure(() =>
    fold({ store: createMetricStore(table), clock: () => now }, "hour", { deadline: Number.POSITIVE_INFINITY }),
  );
  now += 3_600_000;
  const foldingNothing = await measure(() =>
    fold({ store: createMetricStore(table), clock: () => now }, "hour", { deadline: Number.POSITIVE_INFINITY }),
  );
  return { wru: recording.wru / METRICS, foldRru: Math.max(0, folding.rru - foldingNothing.rru) / METRICS };
}

/** Bytes of items, about as DynamoDB counts them: names, texts, numbers by their digits. */
async function storedBytes(engines: Engines, isCounted: (sk: string) => boolean) {
  let bytes = 0;
  let withoutVector = 0;
  let items = 0;
  for await (const { Items = [] } of paginateScan({ client: engines.dynamodb }, { TableName: engines.tableName })) {
    for (const item of Items.filter(({ sk }) => isCounted(String(sk)))) {
      const { vector_a: _, ...rest } = item;
      bytes += sizeOf(item) + ITEM_OVERHEAD;
      withoutVector += sizeOf(rest) + ITEM_OVERHEAD;
      items++;
    }
  }
  return { bytes, withoutVector, items };
}

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html */
function sizeOf(value: unknown): number {
  if (typeof value === "number") return Math.ceil(String(value).replace(/\D/g, "").length / 2) + 1;
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return 3 + value.reduce((sum: number, each) => sum + 1 + sizeOf(each), 0);
  if (value === null || typeof value !== "object") return 1;
  return Object.entries(value).reduce((sum, [name, each]) => sum + Buffer.byteLength(name) + sizeOf(each), 3);
}

/** A kilobyte of words with the frequencies of a language (Zipf). */
function kilobyte(random: Random): string {
  let text = "";
  while (text.length < 1024) text += `w${Math.floor(5000 ** random.next()).toString(36)}x `;
  return text.slice(0, 1024);
}

const fail = (): never => {
  throw new Error("the session had not expired");
};
