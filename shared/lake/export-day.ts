import { createHash } from "node:crypto";
import type { AuditStore } from "../audit/audit-record.ts";
import { AppError } from "../errors.ts";
import type { EventStore } from "../events/event.ts";
import { seriesNames } from "../metrics/metric.ts";
import type { MetricStore } from "../metrics/metric-store.ts";
import { toMetricRow } from "../metrics/query-metrics.ts";
import type { Lake } from "./lake.ts";
import { type LakeContent, showJson, showText } from "./lake-content.ts";
import { type FindErasures, leaveOutErased, nameOf } from "./leave-out-erased.ts";
import type { Row } from "./tables.ts";

export interface ExportPorts {
  lake: Lake;
  events: Pick<EventStore, "ofDay">;
  audit: Pick<AuditStore, "ofDay">;
  store: MetricStore;
  findErasures: FindErasures;
  /** Returns the hash of a user. The argument is the user's name in keys of the archive. */
  pseudonym(user: string): string;
  content: LakeContent;
}

type Exported = "events" | "audit" | "aggregates";

/** Exports the events, audit records and daily aggregates of a day to the lake. A partition that is up to date is not written again. */
export async function exportDay(ports: ExportPorts, day: string): Promise<Record<Exported, number>> {
  const users = await leaveOutErased(ports.findErasures);
  return {
    events: await replacePartition(ports.lake, "events", day, () => eventRows(ports, day, users.mayHave), users.check),
    audit: await replacePartition(ports.lake, "audit", day, () => auditRows(ports.audit, day)),
    aggregates: await replacePartition(ports.lake, "aggregates", day, () => aggregateRows(ports.store, day)),
  };
}

/** Reads the rows twice, first for their fingerprint and then to write them, so that they need not fit into memory. */
async function replacePartition<T extends Exported>(
  lake: Lake,
  table: T,
  day: string,
  rows: () => AsyncIterable<Row<T>>,
  /** Runs immediately before the partition is published. */
  check: () => Promise<void> = async () => undefined,
): Promise<number> {
  const hash = createHash("sha256");
  let count = 0;
  for await (const row of rows()) {
    hash.update(JSON.stringify(row));
    count++;
  }
  const fingerprint = hash.digest("hex");
  const present = await lake.find(table, day);
  if (count === 0 || present?.fingerprint === fingerprint) return count;

  const writer = lake.begin(table, day, fingerprint, present?.etag ?? null);
  try {
    for await (const row of rows()) await writer.add(row);
    await check();
    if (!(await writer.commit())) {
      throw new AppError("conflict", `another run has written ${table} of ${day}`);
    }
  } catch (error) {
    await writer.abort();
    throw error;
  }
  return count;
}

async function* eventRows(
  { events, pseudonym, content }: ExportPorts,
  day: string,
  mayHave: (user: string) => boolean,
): AsyncIterable<Row<"events">> {
  for await (const page of events.ofDay(day)) {
    for (const event of page) {
      const user = nameOf(event.user_id);
      if (!mayHave(user)) continue;
      yield {
        event_id: event.id,
        type: event.type,
        // Redact names too, because clients choose them. They are never left out, because they are not content.
        name: showText(event.name, content === "full" ? "full" : "redacted"),
        user_hash: pseudonym(user),
        session_id: event.session_id ?? null,
        message_id: event.message_id ?? null,
        value: event.value ?? null,
        created_at: Date.parse(event.created_at),
        metadata: showJson(event.metadata, content),
      };
    }
  }
}

async function* auditRows(audit: ExportPorts["audit"], day: string): AsyncIterable<Row<"audit">> {
  for await (const page of audit.ofDay(day)) {
    for (const { id, at, actor, action, subject, request_id } of page) {
      const users = { actor_hash: actor, subject_hash: subject };
      yield { audit_id: id, ...users, action, request_id, at: Date.parse(at) };
    }
  }
}

async function* aggregateRows(store: MetricStore, day: string): AsyncIterable<Row<"aggregates">> {
  for (const series of seriesNames) {
    for await (const page of store.aggregates("day", series, day, day)) {
      for (const aggregate of page) {
        const { dimensions, count, errors, sum, min, max, p50, p95, p99, distinct } = toMetricRow(aggregate);
        const { route = null, status = null, plan = null, model = null, event = null } = dimensions;
        const numbers = { count, errors, sum, min, max, p50, p95, p99, users: distinct ?? null };
        yield { series, route, status, plan, model, event, ...numbers };
      }
    }
  }
}
