import { toSeconds } from "../clock.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { AUDIT_BY_SUBJECT } from "../dynamodb/tables.ts";
import { retention } from "../retention/policy.ts";
import type { AuditQuery, AuditRecord, AuditStore } from "./audit-record.ts";

/** A text that sorts after every id. */
const LAST = "~";

/** Stores records in the table `audit`: one partition per month, sorted by ids and so by time. */
export function createAuditStore(table: Pick<Table, "put" | "query" | "pages">): AuditStore {
  return {
    async add({ subject, ...record }) {
      const { id, at } = record;
      const expires_at = toSeconds(Date.parse(at)) + retention.audit.seconds;
      await table.put({
        Item: { pk: at.slice(0, 7), sk: id, ...record, ...(subject !== null && { subject }), expires_at },
        ConditionExpression: "attribute_not_exists(pk)",
      });
    },

    async list(query) {
      const records: AuditRecord[] = [];
      for (const partition of partitionsOf(query)) {
        for await (const { items } of table.pages(pageOf(query, partition))) {
          records.push(...items.map(fromItem));
          if (records.length > query.limit) return { records: records.slice(0, query.limit), more: true };
        }
      }
      return { records, more: false };
    },

    async *ofDay(day) {
      const pages = table.pages({
        KeyConditionExpression: "pk = :pk AND sk BETWEEN :low AND :high",
        ExpressionAttributeValues: { ":pk": day.slice(0, 7), ":low": idAt(day), ":high": idAt(day, 86_400_000) },
      });
      for await (const { items } of pages) yield items.map(fromItem);
    },
  };
}

/** Returns the partitions to read: the months, the newest first, or that of the user in the index by subject. */
function partitionsOf({ from, to, subject, after, now }: AuditQuery): string[] {
  if (subject !== undefined) return [subject];
  const oldest = new Date(now - retention.audit.seconds * 1000).toISOString();
  const start = from !== undefined && from > oldest ? from : oldest;
  const end = [new Date(now).toISOString(), to, after && instantOf(after)]
    .filter((time) => time !== undefined)
    .sort()[0];
  const months: string[] = [];
  for (let month = (end ?? "").slice(0, 7); month >= start.slice(0, 7); month = before(month)) months.push(month);
  return months;
}

function pageOf({ from, to, action, subject, after, limit, now }: AuditQuery, partition: string) {
  const filters = ["expires_at > :now"];
  if (from !== undefined) filters.push("#at >= :from");
  if (to !== undefined) filters.push("#at < :to");
  if (action !== undefined) filters.push("#action = :action");
  return {
    ...(subject === undefined ? {} : { IndexName: AUDIT_BY_SUBJECT }),
    // The id of an `act_as` record has the time at which its day begins.
    KeyConditionExpression: `#partition = :partition AND sk BETWEEN :low AND :high`,
    FilterExpression: filters.join(" AND "),
    ExpressionAttributeNames: {
      "#partition": subject === undefined ? "pk" : "subject",
      ...(from === undefined && to === undefined ? {} : { "#at": "at" }),
      ...(action === undefined ? {} : { "#action": "action" }),
    },
    ExpressionAttributeValues: {
      ":partition": partition,
      ":low": from === undefined ? "0" : idAt(from.slice(0, 10)),
      ":high": after === undefined ? LAST : predecessor(after),
      ":now": toSeconds(now),
      ...(from === undefined ? {} : { ":from": from }),
      ...(to === undefined ? {} : { ":to": to }),
      ...(action === undefined ? {} : { ":action": action }),
    },
    ScanIndexForward: false,
    Limit: limit + 1,
  };
}

/** Returns the prefix of the ids of an instant. */
const idAt = (instant: string, plus = 0): string => {
  const time = (Date.parse(instant) + plus).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}`;
};

const instantOf = (id: string): string => new Date(Number.parseInt(id.slice(0, 13).replace("-", ""), 16)).toISOString();

/** Returns a text that sorts immediately before an id. */
const predecessor = (id: string): string =>
  `${id.slice(0, -1)}${String.fromCharCode(id.charCodeAt(id.length - 1) - 1)}${LAST}`;

/** Returns the previous month, such as 2026-11. */
const before = (month: string): string =>
  new Date(Date.parse(`${month}-01T00:00:00.000Z`) - 86_400_000).toISOString().slice(0, 7);

function fromItem({ pk: _pk, sk: _sk, expires_at: _expires, subject = null, ...record }: Item): AuditRecord {
  return { ...record, subject } as unknown as AuditRecord;
}
