import { type Clock, toSeconds, withPatience } from "../clock.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { hashId } from "../hash.ts";
import { log } from "../log.ts";
import { randomId } from "../random.ts";
import { retention } from "../retention/policy.ts";
import { dimensionValue, type Measure, type Metric, toParts, vocabulary } from "./metric.ts";
import { rawKey } from "./metric-keys.ts";
import type { Recorder } from "./recorder.ts";

/** Milliseconds that a caller waits for its metrics. The write continues after that while the function runs. */
export const PATIENCE = 500;

/** Characters of a metric's id. They are enough to be unique within a millisecond. */
const ID_LENGTH = 16;

/** Writes one item of about 250 bytes (1 write unit) per metric to the table `metrics`. */
export function createRecorder(table: Pick<Table, "put" | "batchWrite">, clock: Clock): Recorder {
  let noted: Item[] = [];

  async function writeNoted(): Promise<void> {
    const items = noted;
    noted = [];
    if (items.length > 0) await withPatience(PATIENCE, write(table, items), undefined);
  }

  return {
    record(metric) {
      noted.push(toRawItem(metric, clock()));
      return writeNoted();
    },
    note: (metric) => void noted.push(toRawItem(metric, clock())),
    flush: writeNoted,
  };
}

async function write(table: Pick<Table, "put" | "batchWrite">, items: readonly Item[]): Promise<void> {
  const [Item, ...more] = items;
  try {
    // Write a single metric with PutItem, because most functions write only one at a time and have no permission for batches.
    if (Item && more.length === 0) await table.put({ Item });
    else await table.batchWrite(items, []);
  } catch (error) {
    log("warn", {
      message: "metrics could not be written",
      kinds: items.map(({ kind }) => kind),
      error: String(error),
    });
  }
}

/** The item of a metric. `now` (epoch ms) applies if the metric has no time. */
export function toRawItem(metric: Metric, now: number): Item {
  const { kind, dimensions, measures, error, user } = metric;
  const at = metric.at ?? now;
  return {
    ...rawKey(at, metric.id ?? randomId().replaceAll("-", "").slice(-ID_LENGTH)),
    kind,
    dimensions: known(vocabulary[kind].dimensions, dimensions, (_, value: string) => dimensionValue(value)),
    measures: known(vocabulary[kind].measures, measures, (measure, value: number) =>
      toParts(measure as Measure, value),
    ),
    ...(error === undefined ? {} : { error: dimensionValue(error) }),
    ...(user === undefined ? {} : { user: hashId(user) }),
    expires_at: toSeconds(at) + retention.rawMetric.seconds,
  };
}

/** Selects the fields that are in the vocabulary and have a value. */
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
