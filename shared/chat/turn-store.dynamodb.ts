import { toInstant, toSeconds } from "../clock.ts";
import { headerKey, liveTextKey, messageKey } from "../dynamodb/keys.ts";
import type { Table } from "../dynamodb/table.ts";
import { retention } from "../retention/policy.ts";
import {
  fromHeaderItem,
  fromMessageItem,
  headChange,
  isUnchanged,
  TURN_PREFIX,
  toMessageItem,
  toTurnMark,
  treeActions,
} from "../session/items.dynamodb.ts";
import { madePosition } from "../session/message.ts";
import { expiryOf, type SessionRecord } from "../session/session.ts";
import { type Place, placeOf } from "../session/tree.ts";
import type { BeginRequest, TurnId, TurnStore } from "./turn-store.ts";

/**
 * Turns in the table `conversations`. A turn writes the header twice. The first write changes no attribute of an index, so the index is
 * billed only for the second.
 */
export function createTurnStore(table: Table): TurnStore {
  return {
    async begin(request) {
      const { record, question, joined = [], branch, isAgain, tree } = request;
      const session = { user: record.user_id, id: record.id };
      const { generation } = record;
      const Item = toMessageItem(session, generation, question);
      const refusals = await table.transact([
        { Update: beginParameters(request) },
        ...(isAgain ? [] : [{ Put: { Item, ConditionExpression: "attribute_not_exists(pk)" } }]),
        ...(tree ? treeActions(session, generation, tree) : []),
        ...joined,
      ]);
      if (!refusals) return { kind: "begun" };
      const stored = isAgain ? undefined : refusals[1];
      if (!isAgain && !stored?.failed) return { kind: "stale" };
      const present = { kind: "present", branch: Number(stored?.item?.branch ?? (isAgain ? branch : 0)) } as const;
      const [header, answer] = await Promise.all([
        table.get(headerKey(record.user_id, record.id)),
        table.get(answerKey({ ...session, generation, answer: request.answer })),
      ]);
      const running = header && fromHeaderItem(header).turns?.[request.answer];
      if (answer || (running && running.until > request.now)) return { kind: "taken" };
      const marked = await table.update(reopenParameters({ ...request, branch: present.branch }, true));
      if (marked.done) return present;
      if (isAgain) return { kind: "stale" };
      const unmarked = await table.update(reopenParameters({ ...request, branch: present.branch }, false));
      return unmarked.done ? present : { kind: "stale" };
    },

    async save({ user, id, generation }, answer) {
      const outcome = await table.put({
        Item: toMessageItem({ user, id }, generation, answer),
        ConditionExpression: "attribute_not_exists(pk)",
      });
      return outcome.done;
    },

    async close(turn, record, messages, now) {
      const outcome = await table.update(closeParameters(turn, record, messages, now));
      return outcome.done;
    },

    async find({ user, id }, generation, message) {
      const item = await table.get(answerKey({ user, id, generation, answer: message }));
      return item ? fromMessageItem(item) : null;
    },

    async discard(turn) {
      await table.batchWrite([], [answerKey(turn), liveKey(turn)]);
    },

    async stop(turn, now) {
      await table.update(liveTextParameters(turn, { stopped: true }, now));
    },

    async isStopped(turn) {
      return (await table.get(liveKey(turn)))?.stopped === true;
    },

    async saveText(turn, { text, model }, now) {
      await table.update(liveTextParameters(turn, { text, model }, now));
    },

    async findText(turn) {
      const item = await table.get(liveKey(turn));
      if (!item) return null;
      return { text: String(item.text ?? ""), model: String(item.model ?? ""), isStopped: item.stopped === true };
    },
  };
}

const answerKey = ({ user, id, generation, answer }: TurnId) => messageKey(user, id, generation, madePosition(answer));

const liveKey = ({ user, id, generation, answer }: TurnId) => liveTextKey(user, id, generation, answer);

/** An update, so that a save keeps the mark of a stop, and the reverse. */
function liveTextParameters(turn: TurnId, attributes: Record<string, unknown>, now: number) {
  const sets = { ...attributes, expires_at: toSeconds(now) + retention.liveText.seconds };
  const names = Object.keys(sets);
  return {
    Key: liveKey(turn),
    UpdateExpression: `SET ${names.map((name) => `#${name} = :${name}`).join(", ")}`,
    ExpressionAttributeNames: Object.fromEntries(names.map((name) => [`#${name}`, name])),
    ExpressionAttributeValues: Object.fromEntries(Object.entries(sets).map(([name, value]) => [`:${name}`, value])),
  };
}

function beginParameters({ record, question, answer, branch, isAgain, tree, isExact, now, until, dead }: BeginRequest) {
  const head = headChange(record, tree && { ...placeOf(question), branch: tree.current }, tree);
  const sets = ["#turn = :mark", ...head.sets];
  // Move the expiry only if the session would expire during the turn, because the index is billed for that, too.
  const isAtRisk = record.expires_at !== null && record.expires_at <= toSeconds(until);
  if (isAtRisk) sets.push("expires_at = :expires");
  // Each running turn has one stored message that `message_count` does not include. A turn without a new question subtracts one.
  const counted = dead.reduce((sum, { messages }) => sum + messages, isAgain ? -1 : 0);
  const removed = dead.map((_, n) => `#dead${n}`);
  const unchanged = isUnchanged(record, now);
  return {
    Key: headerKey(record.user_id, record.id),
    UpdateExpression:
      `SET ${sets.join(", ")}${removed.length > 0 ? ` REMOVE ${removed.join(", ")}` : ""}` +
      ` ADD version :one${counted === 0 ? "" : ", message_count :counted"}`,
    ConditionExpression: [
      unchanged.ConditionExpression,
      ...removed.map((name) => `attribute_exists(${name})`),
      ...(isAgain ? ["attribute_not_exists(#turn)"] : []),
      ...(isExact ? ["version = :version"] : []),
    ].join(" AND "),
    ExpressionAttributeNames: {
      ...unchanged.ExpressionAttributeNames,
      "#turn": TURN_PREFIX + answer,
      ...Object.fromEntries(dead.map((turn, n) => [`#dead${n}`, TURN_PREFIX + turn.answer])),
    },
    ExpressionAttributeValues: {
      ...unchanged.ExpressionAttributeValues,
      ...head.values,
      ":one": 1,
      ":mark": toTurnMark({ until, branch }),
      ...(isExact ? { ":version": record.version } : {}),
      ...(isAtRisk ? { ":expires": toSeconds(until) + 1 } : {}),
      ...(counted === 0 ? {} : { ":counted": counted }),
    },
  };
}

/** Marks a turn as running whose question is stored. If the mark is missing, the question is already counted: subtract it. */
function reopenParameters({ record, answer, branch, now, until }: BeginRequest, isMarked: boolean) {
  const unchanged = isUnchanged(record, now);
  return {
    Key: headerKey(record.user_id, record.id),
    UpdateExpression: `SET #turn = :mark ADD version :one${isMarked ? "" : ", message_count :less"}`,
    ConditionExpression: `${unchanged.ConditionExpression} AND ${isMarked ? "attribute_exists" : "attribute_not_exists"}(#turn)`,
    ExpressionAttributeNames: { ...unchanged.ExpressionAttributeNames, "#turn": TURN_PREFIX + answer },
    ExpressionAttributeValues: {
      ...unchanged.ExpressionAttributeValues,
      ":one": 1,
      ":mark": toTurnMark({ until, branch }),
      ...(isMarked ? {} : { ":less": -1 }),
    },
  };
}

function closeParameters(
  { user, id, answer }: TurnId,
  record: SessionRecord,
  { count, last }: { count: number; last: Place },
  now: number,
) {
  const head = headChange(record, last);
  const expiresAt = expiryOf(record, now);
  const unchanged = isUnchanged(record, now);
  return {
    Key: headerKey(user, id),
    UpdateExpression:
      `SET ${["updated_at = :updated", ...(expiresAt === null ? [] : ["expires_at = :expires"]), ...head.sets].join(", ")}` +
      ` REMOVE #turn${expiresAt === null ? ", expires_at" : ""} ADD version :one, message_count :messages`,
    ConditionExpression: [unchanged.ConditionExpression, "attribute_exists(#turn)", ...head.conditions].join(" AND "),
    ExpressionAttributeNames: { ...unchanged.ExpressionAttributeNames, "#turn": TURN_PREFIX + answer },
    ExpressionAttributeValues: {
      ...unchanged.ExpressionAttributeValues,
      ...head.values,
      ":one": 1,
      ":updated": toInstant(now),
      ":messages": count,
      ...(expiresAt === null ? {} : { ":expires": expiresAt }),
    },
  };
}
