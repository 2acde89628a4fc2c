import { toInstant } from "../clock.ts";
import { HEADER, headerKey, type Key, messagePrefix, parseMessageKey, sessionKey } from "../dynamodb/keys.ts";
import type { Table } from "../dynamodb/table.ts";
import { fromHeaderItem, fromMessageItem, isUnchanged, toMessageIdItem, toMessageItem } from "./items.dynamodb.ts";
import { fitting, MAX_PAGE_BYTES, type MessageRecord, sizeInAnswer, sizeOf } from "./message.ts";
import type { SessionId } from "./session.ts";
import type { AppendRequest, MessageStore, RangeQuery } from "./store.ts";

/** Actions of one TransactWriteItems call, less the header's. */
const MAX_ACTIONS = 99;

/** Bytes of messages in one transaction: DynamoDB takes 4 MB of items, keys and attribute names included. */
const MAX_BYTES = 3_000_000;

// Sort keys `I#…` and `M#…` lie between these; anchor, memories and header do not.
const FIRST_MESSAGE_KEY = "I#";
const LAST_MESSAGE_KEY = "M~";

/** Messages in the table `conversations`. */
export function createMessageStore(table: Table): MessageStore {
  const between = ({ user, id }: SessionId, low: string, high: string) => ({
    KeyConditionExpression: "pk = :pk AND sk BETWEEN :low AND :high",
    ExpressionAttributeValues: { ":pk": sessionKey(user, id), ":low": low, ":high": high },
    ConsistentRead: true,
  });

  const range: MessageStore["range"] = async (session, generation, query) => {
    const { low, high } = bounds(generation, query);
    const messages: MessageRecord[] = [];
    if (low > high) return { messages, more: false };
    let bytes = 0;
    const how = { ScanIndexForward: query.order === "asc", Limit: query.limit + 1 };
    for await (const { items } of table.pages({ ...between(session, low, high), ...how })) {
      for (const message of items.map(fromMessageItem)) {
        bytes += sizeInAnswer(message);
        if (messages.length === query.limit || (messages.length > 0 && bytes > MAX_PAGE_BYTES)) {
          return { messages, more: true };
        }
        messages.push(message);
      }
    }
    return { messages, more: false };
  };

  return {
    maxPerAppend(messages, from) {
      let actions = 0;
      let bytes = 0;
      let to = from;
      for (const message of messages.slice(from)) {
        actions += message.keyed ? 2 : 1;
        bytes += sizeOf(message);
        if (to > from && (actions > MAX_ACTIONS || bytes > MAX_BYTES)) break;
        to++;
      }
      return to - from;
    },

    async append(request) {
      const session = { user: request.record.user_id, id: request.record.id };
      const { generation } = request.record;
      const puts = request.messages.flatMap((message) => [
        { message, item: toMessageItem(session, generation, message) },
        ...(message.keyed ? [{ message, item: toMessageIdItem(session, generation, message) }] : []),
      ]);
      const refusals = await table.transact([
        headerUpdate(request),
        ...puts.map(({ item }) => ({ Put: { Item: item, ConditionExpression: "attribute_not_exists(pk)" } })),
      ]);
      if (!refusals) return { kind: "stored" };
      const present = new Map<string, MessageRecord>();
      for (const [n, { message, item }] of puts.entries()) {
        const refusal = refusals[n + 1];
        if (!refusal?.failed) continue;
        // The item that was in the way is the message itself or, under the id's key, the name of it.
        const stored =
          "message" in item
            ? await table.get({ pk: String(item.pk), sk: String(refusal.item?.message) })
            : (refusal.item ?? null);
        if (stored) present.set(message.id, fromMessageItem(stored));
      }
      return present.size > 0 ? { kind: "present", messages: present } : { kind: "stale" };
    },

    async window(session, limit) {
      const page = await table.query({
        KeyConditionExpression: "pk = :pk AND sk >= :low",
        ExpressionAttributeValues: { ":pk": sessionKey(session.user, session.id), ":low": "M#" },
        ConsistentRead: true,
        ScanIndexForward: false,
        Limit: limit + 2,
      });
      const [first, ...rest] = page.items;
      if (first?.sk !== HEADER) return { record: null, messages: [], more: false };
      const record = fromHeaderItem(first);
      const live = rest.filter(({ sk }) => parseMessageKey(String(sk)).generation === record.generation);
      if (live.length === rest.length && (live.length > limit || !page.lastKey)) {
        const messages = fitting(live.map(fromMessageItem), limit);
        return { record, messages, more: messages.length < live.length };
      }
      // Large messages, or what a reset has not deleted yet: ask for the live generation alone.
      return { record, ...(await range(session, record.generation, { order: "desc", limit })) };
    },

    range,

    async *all(session, generation) {
      const { low, high } = bounds(generation, { order: "asc", limit: 0 });
      for await (const { items } of table.pages(between(session, low, high))) yield items.map(fromMessageItem);
    },

    async tally(session, generation) {
      const { low, high } = bounds(generation, { order: "asc", limit: 0 });
      const messages = between(session, low, high);
      let count = 0;
      for await (const page of table.pages({ ...messages, Select: "COUNT" })) count += page.count;
      const { items } = await table.query({ ...messages, ScanIndexForward: false, Limit: 1 });
      const [last] = items;
      return { count, last: last ? fromMessageItem(last).created_at : null };
    },

    async put(session, generation, messages) {
      await table.batchWrite(
        messages.flatMap((message) => [
          toMessageItem(session, generation, message),
          ...(message.keyed ? [toMessageIdItem(session, generation, message)] : []),
        ]),
        [],
      );
    },

    async clear(session, keep) {
      const all = between(session, FIRST_MESSAGE_KEY, LAST_MESSAGE_KEY);
      for await (const { items } of table.pages({ ...all, ProjectionExpression: "pk, sk" })) {
        const keys = items as unknown as Key[];
        await table.batchWrite(
          [],
          keys.filter(({ sk }) => !keep(parseMessageKey(sk).generation)),
        );
      }
    },
  };
}

/** Moves the header on, provided that it is still the live, unexpired one that was read. */
function headerUpdate({ record, messages, now, expiresAt, open }: AppendRequest) {
  const sets = ["updated_at = :updated"];
  const removes: string[] = [];
  const unchanged = isUnchanged(record, now);
  if (expiresAt === null) removes.push("expires_at");
  else sets.push("expires_at = :expires");
  if (open) sets.push("open_append = :open");
  else if (open === null) removes.push("open_append");
  return {
    Update: {
      Key: headerKey(record.user_id, record.id),
      UpdateExpression:
        `SET ${sets.join(", ")}${removes.length > 0 ? ` REMOVE ${removes.join(", ")}` : ""}` +
        " ADD message_count :n, version :one",
      ...unchanged,
      ExpressionAttributeValues: {
        ...unchanged.ExpressionAttributeValues,
        ":updated": toInstant(now),
        ":n": messages.length,
        ":one": 1,
        ...(expiresAt === null ? {} : { ":expires": expiresAt }),
        ...(open ? { ":open": open } : {}),
      },
    },
  };
}

/** The sort keys between which a query's messages lie, both inclusive. */
function bounds(generation: number, { order, after, from, to }: RangeQuery): { low: string; high: string } {
  const prefix = messagePrefix(generation);
  const lows = [""];
  const highs = ["~"];
  // A position starts with its time, so that `from` and `to`, times alone, sort before all positions of their instant.
  if (from) lows.push(from);
  if (to) highs.push(to);
  if (after && order === "asc") lows.push(`${after}!`);
  if (after && order === "desc") highs.push(before(after));
  return { low: prefix + (lows.sort().at(-1) ?? ""), high: prefix + (highs.sort()[0] ?? "") };
}

// What sorts just below a position: positions are of one alphabet, between `!` and `~`.
const before = (position: string): string =>
  `${position.slice(0, -1)}${String.fromCharCode(position.charCodeAt(position.length - 1) - 1)}~`;
