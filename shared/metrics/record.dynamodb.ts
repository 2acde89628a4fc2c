import { createHash, randomBytes } from "node:crypto";
import { type Clock, toSeconds } from "../clock.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { retention } from "../retention/policy.ts";
import { rawKey } from "./keys.ts";
import { dimensionValue, type Measure, type Metric, toParts, vocabulary } from "./metric.ts";
import type { Recorder } from "./record.ts";

/** Milliseconds that a caller waits for its metric; the write goes on after that, as far as the function does. */
const PATIENCE = 500;

/** Writes one item of about 250 bytes, 1 write unit, to the table `metrics`. */
export function createRecorder(table: Pick<Table, "put">, clock: Clock): Recorder {
  return {
    async record(metric) {
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, PATIENCE);
      });
      await Promise.race([write(table, toRawItem(metric, clock())), patience]);
      clearTimeout(timer);
    },
  };
}

async function write(table: Pick<Table, "put">, Item: Item): Promise<void> {
  try {
    await table.put({ Item });
  } catch (error) {
    console.warn(JSON.stringify({ level: "warn", message: "a metric is lost", kind: Item.kind, error: String(error) }));
  }
}

/** The item of a metric; `now` (epoch ms) where it has no time of its own. */
export function toRawItem(metric: Metric, now: number): Item {
  const { kind, dimensions, measures, error, user } = metric;
  const at = metric.at ?? now;
  return {
    ...rawKey(at, metric.id ?? randomBytes(8).toString("hex")),
    kind,
    dimensions: known(vocabulary[kind].dimensions, dimensions, (_, value: string) => dimensionValue(value)),
    measures: known(vocabulary[kind].measures, measures, (measure, value: number) =>
      toParts(measure as Measure, value),
    ),
    ...(error === undefined ? {} : { error: dimensionValue(error) }),
    ...(user === undefined ? {} : { user: hashUser(user) }),
    expires_at: toSeconds(at) + retention.rawMetric.seconds,
  };
}

/** What stands for a user where nobody needs to know who it is: 48 bits of SHA-256, in hex. */
export const hashUser = (user: string): string => createHash("sha256").update(user).digest("hex").slice(0, 12);

/** The fields that the vocabulary has and that have a value. */
function known<V, W>(
  names: readonly string[],
  values: Partial<Record<string, V>>,
  kept: (name: string, value: V) => W,
): Record<string, W> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = values[name];
      return value === undefined || (typeof value === "number" && !Number.isFinite(value))
        ? []
        : [[name, kept(name, value)]];
    }),
  );
}
