import { toInstant } from "../clock.ts";
import {
  HEADER,
  headerKey,
  type Key,
  messageIdKey,
  messageKey,
  messagePrefix,
  parseMessageKey,
  sessionKey,
  treeKey,
} from "../dynamodb/keys.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import {
  fromHeaderItem,
  fromMessageItem,
  fromTreeItem,
  headChange,
  isTree,
  isUnchanged,
  toMessageIdItem,
  toMessageItem,
  treeActions,
} from "./items.dynamodb.ts";
import { createPage, fitting, type MessageRecord, madePosition, positionOf, sizeOf, UUID_V7 } from "./message.ts";
import type { SessionId } from "./session.ts";
import type { AppendRequest, MessageStore, RangeQuery } from "./store.ts";
import { isOn, LINEAR, type Place, pathOf, placeOf } from "./tree.ts";

/** Maximum actions of one TransactWriteItems call, without the header's. */
const MAX_ACTIONS = 99;

/** Maximum items per query of a range that must filter, unless the limit is larger. */
const MAX_PAGE = 200;

/** Bytes of messages in one transaction: DynamoDB takes 4 MB of items, keys and attribute names included. */
const MAX_BYTES = 3_000_000;

// The range of the sort keys `I#…`, `L#…`, `M#…` and `T#…`. Anchor, memories and header are outside of it.
const FIRST_KEY = "I#";
const LAST_KEY = "T~";

/** Stores messages in the table `conversations`. */
export function createMessageStore(table: Table): MessageStore {
  const between = ({ user, id }: SessionId, low: string, high: string) => ({
    KeyConditionExpression: "pk = :pk AND sk BETWEEN :low AND :high",
    ExpressionAttributeValues: { ":pk": sessionKey(user, id), ":low": low, ":high": high },
    ConsistentRead: true,
  });

  const range: MessageStore["range"] = async (session, generation, query) => {
    const { low, high } = bounds(generation, query);
    const isAscending = query.order === "asc";
    const page = createPage(query.limit);
    const { messages } = page;
    // In ascending order, the first item is the message `after` which the page starts.
    let before: MessageRecord | null | undefined = isAscending && !query.after && !query.from ? null : undefined;
    if (low > high) return { messages, more: false, before };
    let size = query.limit + 2;
    let start: Item | undefined;
    do {
      const how = { ScanIndexForward: isAscending, Limit: size, ExclusiveStartKey: start };
      const { items, lastKey } = await table.query({ ...between(session, low, high), ...how });
      // Messages of other branches fill the page, so read more at a time.
      size = Math.max(size, Math.min(4 * size, MAX_PAGE));
      start = lastKey;
      for (const message of items.map(fromMessageItem)) {
        if (!isOn(query.path, message)) continue;
        if (positionOf(message) === query.after) {
          before = message;
          continue;
        }
        if (!page.add(message)) return { messages, more: true, before: isAscending ? before : message };
      }
    } while (start);
    return { messages, more: false, before: isAscending || query.from ? before : null };
  };

  const find = async (Key: Key) => {
    const item = await table.get(Key);
    return item && fromMessageItem(item);
  };

  return {
    maxPerAppend(messages, from, forks = false) {
      let actions = forks ? 2 : 0;
      let bytes = 0;
      let to = from;
      for (const message of messages.slice(from)) {
        // A file takes two actions: its update, and the item of its use.
        actions += (message.keyed ? 2 : 1) + 2 * filesOf(message);
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
      const { tree } = request;
      const refusals = await table.transact([
        headerUpdate(request),
        ...puts.map(({ item }) => ({ Put: { Item: item, ConditionExpression: "attribute_not_exists(pk)" } })),
        ...(tree ? treeActions(session, generation, tree) : []),
        ...(request.joined ?? []),
      ]);
      if (!refusals) return { kind: "stored" };
      const present = new Map<string, MessageRecord>();
      for (const [n, { message, item }] of puts.entries()) {
        const refusal = refusals[n + 1];
        if (!refusal?.failed) continue;
        // The existing item is the message itself or, under the id's key, the item that names the message.
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
      if (first?.sk !== HEADER) return { record: null, tree: LINEAR, messages: [], more: false, before: null };
      const record = fromHeaderItem(first);
      const live = rest.filter(({ sk }) => parseMessageKey(String(sk)).generation === record.generation);
      const tree = fromTreeItem(live.find(isTree));
      const path = pathOf(tree);
      const onPath = live
        .filter((item) => !isTree(item))
        .map(fromMessageItem)
        .filter((message) => isOn(path, message));
      if (live.length === rest.length && (onPath.length > limit || !page.lastKey)) {
        const messages = fitting(onPath, limit);
        const before = onPath[messages.length] ?? null;
        return { record, tree, messages, more: before !== null, before };
      }
      // Large messages, other branches, or messages that a reset has not deleted yet: read the current branch only.
      return { record, tree, ...(await range(session, record.generation, { order: "desc", limit, path })) };
    },

    range,

    async *all(session, generation) {
      const { low, high } = bounds(generation, { order: "asc" });
      for await (const { items } of table.pages(between(session, low, high))) yield items.map(fromMessageItem);
    },

    tree: async ({ user, id }, generation) => fromTreeItem(await table.get(treeKey(user, id, generation))),

    async locate(session, generation, message) {
      const { user, id } = session;
      const made = UUID_V7.test(message) && (await find(messageKey(user, id, generation, madePosition(message))));
      if (made && made.id === message) return made;
      const named = await table.get(messageIdKey(user, id, generation, message));
      if (named) return find({ pk: sessionKey(user, id), sk: String(named.message) });
      if (!UUID_V7.test(message)) return null;
      // The client chose the time of this message, so only the end of its key is known.
      const { low, high } = bounds(generation, { order: "asc" });
      const keysOnly = { ProjectionExpression: "pk, sk, keyed" };
      for await (const { items } of table.pages({ ...between(session, low, high), ...keysOnly })) {
        const key = items.find(({ sk, keyed }) => !keyed && String(sk).endsWith(`#${message}`));
        if (key) return find({ pk: String(key.pk), sk: String(key.sk) });
      }
      return null;
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

    async remove({ user, id }, generation, messages) {
      const keys = messages.flatMap((message) => [
        messageKey(user, id, generation, positionOf(message)),
        ...(message.keyed ? [messageIdKey(user, id, generation, message.id)] : []),
      ]);
      await table.batchWrite([], keys);
    },

    async clear(session, keep) {
      const all = between(session, FIRST_KEY, LAST_KEY);
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

const filesOf = ({ parts = [] }: MessageRecord): number => parts.filter(({ type }) => type === "file").length;

/** Updates the header if it is still the live, unexpired one that was read. */
function headerUpdate({ record, messages, tree, exact, now, expiresAt, open }: AppendRequest) {
  const sets = ["updated_at = :updated"];
  const removes: string[] = [];
  const unchanged = isUnchanged(record, now);
  const conditions = [unchanged.ConditionExpression];
  const branch = tree?.current ?? record.branch ?? 0;
  const last = messages
    .map(placeOf)
    .filter((place) => place.branch === branch)
    .sort(byPosition)
    .at(-1);
  const head = headChange(record, last, tree);
  sets.push(...head.sets);
  conditions.push(...head.conditions);
  if (exact) conditions.push("version = :version");
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
      ConditionExpression: conditions.join(" AND "),
      ExpressionAttributeValues: {
        ...unchanged.ExpressionAttributeValues,
        ...head.values,
        ...(exact ? { ":version": record.version } : {}),
        ":updated": toInstant(now),
        ":n": messages.length,
        ":one": 1,
        ...(expiresAt === null ? {} : { ":expires": expiresAt }),
        ...(open ? { ":open": open } : {}),
      },
    },
  };
}

const byPosition = (a: Place, b: Place): number => (a.position < b.position ? -1 : 1);

/** The first and last sort key of a query. In ascending order, they include the message at `after`. */
function bounds(
  generation: number,
  { order, after, from, to }: Pick<RangeQuery, "order" | "after" | "from" | "to">,
): { low: string; high: string } {
  const prefix = messagePrefix(generation);
  const lows = [""];
  const highs = ["~"];
  // A position starts with its time, so that the times `from` and `to` sort before all positions of the same time.
  if (from) lows.push(from);
  if (to) highs.push(to);
  if (after && order === "asc") lows.push(after);
  if (after && order === "desc") highs.push(before(after));
  return { low: prefix + (lows.sort().at(-1) ?? ""), high: prefix + (highs.sort()[0] ?? "") };
}

// The greatest text below a position: positions have only characters between `!` and `~`.
const before = (position: string): string =>
  `${position.slice(0, -1)}${String.fromCharCode(position.charCodeAt(position.length - 1) - 1)}~`;
