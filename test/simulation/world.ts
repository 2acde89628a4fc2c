/** The world that instances share: the tables, the bucket, the streams with their consumers, and indexes that lag behind. */

import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import type { DynamoDBRecord } from "aws-lambda";
import { functions } from "../../infra/functions.ts";
import { compileFilter } from "../../infra/local/events/filter-pattern.ts";
import { HEADER, parseMessageKey, parseSessionKey } from "../../shared/dynamodb/keys.ts";
import {
  audit,
  auditOutbox,
  conversations,
  exportTable,
  memoryVectorIndexes,
  metrics,
  type VectorPlace,
} from "../../shared/dynamodb/tables.ts";
import { type Command, createMemoryDynamoDB } from "../support/memory-dynamodb/client.ts";
import { REPLICA } from "../support/memory-dynamodb/create-views.ts";
import type { Change } from "../support/memory-dynamodb/table-data.ts";
import { randomOf } from "../support/random.ts";
import { Bucket } from "./bucket.ts";
import { type Fault, Instance, type StoreFailure, type Trace } from "./instance.ts";
import type { Violation } from "./model.ts";
import type { Plan } from "./plan.ts";
import { createTimeline } from "./timeline.ts";

export const CONVERSATIONS = "conversations";

/** Few dimensions: the ranking finds what is asked for among so few memories. */
export const VECTORS: VectorPlace = { slot: "a", dimensions: 8 };
export const METRICS = "metrics";
export const EXPORTS = "exports";
export const OUTBOX = "audit-outbox";
export const AUDIT = "audit";

/** Epoch milliseconds at which every life begins. */
export const BEGINNING = Date.parse("2026-11-21T12:00:00.000Z");

/** What a life is exposed to, beside the faults of its actions. Each can be taken away to find out whether it matters. */
export interface Weather {
  /** Clocks of instances differ by up to 2 s. */
  skew: boolean;
  /** Indexes and replicas lag behind. */
  lag: boolean;
  /** Stream records come late, so in another order. */
  late: boolean;
  /** Stream records come twice. */
  twice: boolean;
  /** Consumers of streams and the reconciler have faults. */
  faulty: boolean;
}

const filtersOf = (job: "archive" | "remember" | "build-export" | "audit") =>
  functions[`jobs-${job}`].trigger.filters.map(compileFilter);

/** The consumers of each table's stream, with their filters. */
const readers = {
  archive: { table: CONVERSATIONS, filters: filtersOf("archive") },
  remember: { table: CONVERSATIONS, filters: filtersOf("remember") },
  "build-export": { table: EXPORTS, filters: filtersOf("build-export") },
  audit: { table: OUTBOX, filters: filtersOf("audit") },
};

type Consumer = keyof typeof readers;
const consumerNames = Object.keys(readers) as Consumer[];

/** Milliseconds until a batch that failed is tried again. */
const RETRY = [1000, 10_000, 60_000, 600_000];

/** Attempts at a batch, of which the first few only have faults of their own. */
const HOPELESS = 8;

export function createWorld(
  { seed, weather, incognito: hidden }: Pick<Plan, "seed" | "weather" | "incognito">,
  isTraced: boolean,
) {
  const lines: string[] = [];
  const timeline = createTimeline(BEGINNING);
  const trace: Trace = (line) => {
    if (isTraced) lines.push(`${stamp(timeline.now() - BEGINNING)}  ${line()}`);
  };
  const incognito: ReadonlySet<string> = new Set(hidden);
  const bucket = new Bucket((key) => {
    const [user, file = ""] = key.split("/").slice(-2);
    if (incognito.has(`${user}/${file.split(".")[0]}`))
      problems.push({ rule: "an incognito session is archived", detail: key });
  });
  const counters = new Map<string, number>();
  const applied = new Map<string, number>();
  const consumers: Partial<Record<Consumer, (instance: Instance, records: DynamoDBRecord[]) => Promise<string[]>>> = {};
  const problems: Violation[] = [];
  const truth = { sessions: 0, messages: new Set<string>() };
  let sequence = 0;
  let calm = false;

  /** The how manyeth of its kind something is. */
  const nth = (name: string): number => {
    const n = counters.get(name) ?? 0;
    counters.set(name, n + 1);
    return n;
  };

  const dynamo = createMemoryDynamoDB(
    {
      [CONVERSATIONS]: { ...conversations, vectorIndexes: memoryVectorIndexes([VECTORS]) },
      [METRICS]: metrics,
      [EXPORTS]: exportTable,
      [OUTBOX]: auditOutbox,
      [AUDIT]: audit,
    },
    {
      lag(_table, view, key, apply) {
        if (!weather.lag) return apply();
        const name = `${view} ${key}`;
        const random = randomOf(seed, "lag", name, nth(`lag ${name}`));
        const most = random.pick([20, 300, 5000, 40_000]);
        // Reads of the table itself are behind by a second at most; indexes may be behind by more.
        const delay = random.chance(0.6) ? 0 : (view === REPLICA ? Math.min(most, 1000) : most) * random.next();
        const time = Math.max(timeline.now() + delay, applied.get(name) ?? 0);
        applied.set(name, time);
        if (time <= timeline.now()) apply();
        else timeline.at(time, apply);
      },
      onChange: (table, change) => {
        if (table === CONVERSATIONS) {
          watch(change);
          count(change);
        }
        if (table === AUDIT && change.before)
          problems.push({ rule: "an audit record is changed or deleted", detail: JSON.stringify(change.before) });
        tell(table, change);
      },
    },
  );

  function instance(name: string, faults: readonly Fault[] = []): Instance {
    const skew = weather.skew ? randomOf(seed, "skew", name).below(4001) - 2000 : 0;
    return new Instance(timeline, seed, { name, skew, faults }, trace);
  }

  /** An incognito session is never remembered, not even for a moment. */
  function watch({ after }: Change): void {
    if (!after || !/^E#/.test(String(after.sk)) || after.forgotten) return;
    const { user, id } = parseSessionKey(String(after.pk));
    if (incognito.has(`${user}/${id}`))
      problems.push({ rule: "an incognito session is remembered", detail: `${after.pk} ${after.sk}` });
  }

  /** Counts what reports say of the data: sessions that were created, and messages, whichever generation they are stored in. */
  function count({ before, after }: Change): void {
    const [pk, sk] = [String(after?.pk), String(after?.sk)];
    if (sk === "A" && after?.state === "active" && (!before || before.state === "deleted")) truth.sessions++;
    if (!sk.startsWith("M#") || before) return;
    // What is written to a generation that is not live is a copy, or an answer that comes after a reset and is taken back.
    const { generation, position } = parseMessageKey(sk);
    if (dynamo.table(CONVERSATIONS).get({ pk, sk: HEADER })?.generation === generation)
      truth.messages.add(`${pk} ${position}`);
  }

  /** Puts a change on its way to the stream's consumers. */
  function tell(table: string, change: Change): void {
    const item = change.after ?? change.before;
    const [pk, sk] = [String(item?.pk), String(item?.sk)];
    const isFile = pk.endsWith("#F");
    if (table === CONVERSATIONS && !isFile && (!pk.includes("#S#") || /^[EFIL]#/.test(sk))) return;
    const record = recordOf(change, ++sequence);
    for (const consumer of consumerNames) {
      const reader = readers[consumer];
      if (reader.table !== table || !reader.filters.some((matches) => matches(record))) continue;
      const name = `${consumer} ${pk} ${sk}`;
      const random = randomOf(seed, name, nth(name));
      const share = random.next();
      const late =
        share < 0.75 ? 10 + 300 * share : random.pick([5000, 100_000, 2_000_000, 80_000_000]) * random.next();
      deliver(consumer, name, record, weather.late && !calm ? late : 100);
      if (weather.twice && !calm && random.chance(0.2)) {
        deliver(consumer, name, record, random.pick([100, 100_000, 5_000_000, 200_000_000]) * random.next());
      }
    }
  }

  const inbox = Object.fromEntries(consumerNames.map((name) => [name, new Map()])) as Record<
    Consumer,
    Map<number, DynamoDBRecord[]>
  >;

  /** Records that come within the same tenth of a second come in one batch. */
  function deliver(consumer: Consumer, name: string, record: DynamoDBRecord, delay: number): void {
    const slot = Math.ceil((timeline.now() + delay) / 100) * 100;
    const batch = inbox[consumer].get(slot);
    if (batch) {
      batch.push(record);
      return;
    }
    const records = [record];
    inbox[consumer].set(slot, records);
    timeline.at(slot, () => {
      inbox[consumer].delete(slot);
      void consume(consumer, `${name}/${nth(`batch ${name}`)}`, records, 0);
    });
  }

  /** Lets an instance of a consumer take a batch, and what of it failed again later. */
  async function consume(consumer: Consumer, name: string, records: DynamoDBRecord[], attempt: number): Promise<void> {
    const faulty = weather.faulty && !calm && attempt < 3;
    const own = instance(`${name} attempt ${attempt}`, faulty ? faultsOf(seed, `${name} ${attempt}`, 0.3) : []);
    const work = consumers[consumer]?.(own, records).catch(() => records.map(idOf));
    const failed = await Promise.race([work, own.death.then(() => records.map(idOf))]);
    const again = records.filter((record) => failed?.includes(idOf(record)));
    if (again.length === 0) return;
    if (attempt === HOPELESS) {
      problems.push({ rule: `a batch of records fails for ever in jobs-${consumer}`, detail: name });
      // What the mapping does with such a batch: it hands the records over one by one.
      for (const [n, record] of again.entries()) void consume(consumer, `${name}/${n}`, [record], attempt + 1);
      return;
    }
    if (attempt > 2 * HOPELESS) return;
    const delay = RETRY[Math.min(attempt, RETRY.length - 1)] ?? 0;
    timeline.at(timeline.now() + delay, () => void consume(consumer, name, again, attempt + 1));
  }

  return {
    seed,
    weather,
    incognito,
    timeline,
    dynamo,
    bucket,
    consumers,
    /** What was ever stored. */
    truth,
    /** What went wrong below, where no client sees it. */
    problems,
    instance,
    trace,
    lines,
    /** From now on nothing fails and nothing is late. */
    calmDown: () => {
      calm = true;
    },
    isCalm: () => calm,
    table: dynamo.table(CONVERSATIONS),
    metrics: dynamo.table(METRICS),
  };
}

export type World = ReturnType<typeof createWorld>;

/** The faults of an instance: none, mostly one, rarely two. */
export function faultsOf(seed: number, name: string, share: number): Fault[] {
  const random = randomOf(seed, "faults", name);
  if (!random.chance(share)) return [];
  const fault = (): Fault => ({
    kind: random.pick([
      "throttled",
      "lost-before",
      "lost-after",
      "repeated",
      "crash-before",
      "crash-after",
      "stalled",
      "stalled",
    ]),
    call: random.below(random.pick([4, 10, 20])),
    stall: random.pick([500, 5000, 60_000, 500_000]) * random.next(),
  });
  return random.chance(0.2) ? [fault(), fault()] : [fault()];
}

/** The client of DynamoDB that an instance has. */
export function clientOf({ dynamo }: World, instance: Instance): DynamoDBDocumentClient {
  const send = (command: Command) =>
    instance.call({
      label: () => labelOf(command),
      execute: () => dynamo.execute(command),
      fail: failure,
      hasToken: command.constructor.name === "TransactWriteCommand",
    });
  return { send } as unknown as DynamoDBDocumentClient;
}

const failure = (kind: StoreFailure): Error =>
  Object.assign(new Error(kind), {
    name: kind === "throttled" ? "ThrottlingException" : "TimeoutError",
    $fault: "server",
    $metadata: {},
  });

function labelOf({ constructor: { name: command }, input }: Command): string {
  const name = command.replace(/Command$/, "");
  const { Key, Item, TransactItems, RequestItems, IndexName, ExpressionAttributeValues, KeyConditionExpression } =
    input as Record<string, Record<string, unknown> | undefined>;
  const of = (key: Record<string, unknown> | undefined) => (key ? `${key.pk} ${key.sk}` : "");
  if (name === "Query") {
    const values = Object.values(ExpressionAttributeValues ?? {}).join(" ");
    return `Query ${IndexName ?? ""} ${String(KeyConditionExpression)} ${values}`.replace(/ +/g, " ");
  }
  if (Array.isArray(TransactItems)) {
    const parts = TransactItems.map((action) => {
      const [[verb, part] = ["", {}]] = Object.entries(action as Record<string, Record<string, never>>);
      return `${verb} ${of(part.Key ?? part.Item)}`;
    });
    return `TransactWrite ${parts.join(", ")}`;
  }
  if (RequestItems) {
    const [requests = []] = Object.values(RequestItems) as Record<string, never>[][];
    if (!Array.isArray(requests))
      return `${name} ${(requests as { Keys: Record<string, unknown>[] }).Keys.map(of).join(", ")}`;
    return `${name} ${requests.map((one) => Object.keys(one)[0]?.replace("Request", "")).join(", ")} ${requests.map(({ PutRequest, DeleteRequest }) => of((PutRequest as { Item: never } | undefined)?.Item ?? (DeleteRequest as { Key: never } | undefined)?.Key)).join(", ")}`;
  }
  return `${name} ${of(Key ?? Item)}`;
}

const idOf = ({ dynamodb }: DynamoDBRecord): string => dynamodb?.SequenceNumber ?? "";

function recordOf({ kind, before, after, byTtl }: Change, sequence: number): DynamoDBRecord {
  const { pk, sk } = (after ?? before) as { pk: string; sk: string };
  return {
    eventID: `event-${sequence}`,
    eventName: kind,
    ...(byTtl ? { userIdentity: { type: "Service", principalId: "dynamodb.amazonaws.com" } } : {}),
    dynamodb: {
      Keys: { pk: { S: pk }, sk: { S: sk } },
      ...(after ? { NewImage: marshall(after) } : {}),
      ...(before ? { OldImage: marshall(before) } : {}),
      SequenceNumber: String(sequence).padStart(21, "0"),
    },
  } as DynamoDBRecord;
}

/** Time since the beginning, as people read it. */
export function stamp(milliseconds: number): string {
  const days = Math.floor(milliseconds / 86_400_000);
  const time = new Date(milliseconds % 86_400_000).toISOString().slice(11, 23);
  return `${days > 0 ? `day ${days} ` : ""}${time}`;
}
