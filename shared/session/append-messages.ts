import { createHash } from "node:crypto";
import { toInstant } from "../clock.ts";
import { AppError } from "../errors.ts";
import { fitting, MAX_PAGE_BYTES, type MessageRecord, planMessages, positionOf, type ShownMessage } from "./message.ts";
import { openMessages, withParents } from "./message-source.ts";
import { beforeParent, findParents, type Placed, type Planned, placeMessages } from "./place-messages.ts";
import { lookAt, notFound, readSession } from "./read-session.ts";
import { resolveFiles } from "./resolve-files.ts";
import { restoreSession } from "./restore-session.ts";
import { contended, retryContended } from "./retry-contended.ts";
import type { MessageInput } from "./schema.ts";
import type { SessionId, SessionRecord } from "./session.ts";
import { expiryOf, isExpired, isLaterThan, type OpenAppend, type RequestIdentity } from "./session.ts";
import type { OnStored, Stores } from "./store.ts";
import { LINEAR, placeOf, type Tree, wholeTree } from "./tree.ts";

/** A hot session as it was read, and the function that places messages in it. */
interface Hot {
  record: SessionRecord;
  /** Places the messages that are not stored yet. If `found` is present, it has stored ones, and the append must be exact. */
  place(
    planned: readonly Planned[],
    stored: ReadonlyMap<string, MessageRecord>,
  ): Promise<Placed & { found?: ReadonlyMap<string, MessageRecord> }>;
}

/**
 * Stores messages in order. Restores an archived session first. A message whose id exists is not stored again; the stored one is
 * returned. Messages that fit one transaction are stored all or none. If a larger append stops in between, a repeat of the request
 * continues there, with or without an Idempotency-Key.
 *
 * Messages without `parent_id` follow the end of the current branch, and concurrent appends all stay on that branch. A `parent_id` is
 * exact: if another message follows the parent already, the message begins a branch. Throws `not_found`, `validation_failed`, and
 * `payload_too_large` for messages that do not fit an answer.
 * @param input the request's list of messages, or its only message
 * @param paths the paths of the messages in the request. @default `messages.<n>.`
 */
export async function appendMessages(
  stores: Stores,
  session: SessionId,
  input: MessageInput | readonly MessageInput[],
  request: RequestIdentity,
  onStored?: OnStored,
  paths?: readonly string[],
): Promise<ShownMessage[]> {
  const given = "role" in input ? [input] : input;
  const pathOf = (n: number) => paths?.[n] ?? ("role" in input ? "" : `messages.${n}.`);
  const inputs = await resolveFiles(stores.files, session, given, request, pathOf);
  const isExact = inputs.some(({ parent_id }) => parent_id !== undefined);
  const { maxPerAppend } = stores.messages;
  const plan = planMessages(inputs, request);
  if (fitting(plan, plan.length).length < plan.length) {
    throw new AppError(
      "payload_too_large",
      `the answer would have more than ${MAX_PAGE_BYTES} bytes: append fewer at once`,
    );
  }
  const planned = (messages: readonly MessageRecord[]) =>
    messages.flatMap((message, n): Planned[] => {
      const of = inputs[n];
      return of && messages.findIndex(({ id }) => id === message.id) === n
        ? [{ input: of, message, path: pathOf(n) }]
        : [];
    });
  const read = () =>
    isExact ? readExact(stores, session, planned(plan), request.at) : readActive(stores, session, request.at);

  let hot: Hot | null = await read();
  const isWhole = maxPerAppend(plan, 0, isExact) === plan.length;
  const open = isWhole ? undefined : openAppend(hot.record, given, request);
  const all = open ? planMessages(inputs, open) : plan;
  const pending = planned(all);
  const { record: first } = hot;
  const stored = new Map<string, ShownMessage | MessageRecord>();
  let present = 0;
  while (stored.size < pending.length) {
    await retryContended(async () => {
      hot ??= await read();
      const { record } = hot;
      const { messages: rest, treeOf, found } = await hot.place(pending, stored);
      for (const [id, message] of found ?? []) stored.set(id, message);
      present += found?.size ?? 0;
      if (rest.length === 0) return "present";
      const messages = rest.slice(0, maxPerAppend(rest, 0, isExact));
      const now = stores.clock();
      const named = pending.filter(({ message }) => messages.some(({ id }) => id === message.id));
      const joined = await stores.files.taking(session, record.generation, named);
      const outcome = await stores.messages.append({
        record,
        messages,
        joined,
        now,
        expiresAt: expiryOf(record, now),
        ...(open ? { open: messages.length === rest.length ? null : open } : {}),
        ...(isExact || found ? { exact: true, ...treeOf(messages) } : {}),
      });
      if (isExact || found || outcome.kind === "stale") hot = null;
      if (outcome.kind === "stale") return contended;
      if (outcome.kind === "present") {
        for (const [id, message] of outcome.messages) stored.set(id, message);
        present += outcome.messages.size;
      } else {
        for (const message of messages) stored.set(message.id, message);
        onStored?.({ messages: messages.length });
      }
      return outcome.kind;
    });
  }
  const shown = await shownOf(stores, session, first, [...stored.values()], present === 0);
  return all.flatMap(({ id }) => shown.find((message) => message.id === id) ?? []);
}

/** Reads or restores the session, for messages that follow the end of the current branch. */
async function readActive(stores: Stores, session: SessionId, requestedAt: number): Promise<Hot> {
  const state = await readSession(stores, session, requestedAt);
  if (state.kind === "none") throw notFound();
  const record = state.kind === "active" ? state.record : await restoreSession(stores, session);
  const { branch, head_at = "" } = record;
  return {
    record,
    async place(planned, stored) {
      const rest = planned.filter(({ message }) => !stored.has(message.id));
      // On a branch, a message with an earlier time than the head would not follow it. Give the messages without a chosen time a later one.
      const isEarly = ({ message }: Planned) => branch !== undefined && positionOf(message) <= head_at;
      const timed = rest.filter(({ input }) => input.created_at === undefined);
      // Messages of one request have the same time, so move all of them, which keeps their order.
      const early = timed.some(isEarly) ? timed : [];
      const found = early.length > 0 ? await findStored(stores, session, record, early) : undefined;
      // Refuse a chosen time before the head, unless the message is stored already. Later it is too late: a part of the request is stored.
      const chosen = stored.size > 0 ? [] : rest.filter((one) => one.input.created_at !== undefined && isEarly(one));
      if (chosen.length > 0) {
        const { locate } = await openMessages(stores, session, { kind: "active", record });
        for (const { message, path } of chosen) if (!(await locate(message.id))) throw beforeParent(path, head_at);
      }
      const later = () => ({ created_at: toInstant(Date.parse(head_at.split("#")[0] ?? "") + 1) });
      const messages = rest
        .filter(({ message }) => !found?.has(message.id))
        .map((one) => ({ ...one.message, ...(early.includes(one) ? later() : {}), ...(branch ? { branch } : {}) }));
      return { messages, treeOf: () => ({}), ...(found ? { found } : {}) };
    },
  };
}

/** Finds the messages that an earlier attempt of the same request has stored, perhaps with a later time. Returns them by id. */
async function findStored(
  { messages }: Pick<Stores, "messages">,
  session: SessionId,
  { generation }: SessionRecord,
  planned: readonly Planned[],
): Promise<Map<string, MessageRecord>> {
  const ids = new Set(planned.map(({ message }) => message.id));
  const path = wholeTree(await messages.tree(session, generation));
  const from = planned.map(({ message }) => message.created_at).sort()[0];
  const found: MessageRecord[] = [];
  for (let after: string | undefined, more = true; more; ) {
    const page = await messages.range(session, generation, { order: "asc", from, after, limit: 1000, path });
    found.push(...page.messages.filter(({ id }) => ids.has(id)));
    after = page.messages.at(-1) && positionOf(page.messages.at(-1) as MessageRecord);
    more = page.more;
  }
  return new Map(found.map((message) => [message.id, message]));
}

/** Reads or restores the session and finds the parents that messages name. Throws `validation_failed` when one does not exist. */
function readExact(stores: Stores, session: SessionId, planned: readonly Planned[], requestedAt: number): Promise<Hot> {
  return retryContended(async () => {
    const { record, tree, messages } = await stores.messages.window(session, 1);
    const isHot = record?.status === "active" && !isExpired(record, stores.clock());
    const state = isHot ? ({ kind: "active", record } as const) : await readSession(stores, session, requestedAt);
    if (state.kind === "none" || (isHot && isLaterThan(record, requestedAt))) throw notFound();
    const head = messages[0] ? placeOf(messages[0]) : null;
    // Find the parents before restoring, because a bad request must change nothing.
    const parents = await lookAt(stores, session, state, async () => {
      const { locate } = await openMessages(stores, session, state, isHot ? tree : undefined);
      return findParents(locate, planned, isHot ? head : null);
    });
    if (parents === contended) return contended;
    if (!isHot) {
      await restoreSession(stores, session);
      return contended;
    }
    return { record, place: async (all, stored) => placeMessages(tree, head, all, parents, stored) };
  });
}

/** Returns the unfinished append of the same messages, or a new one. */
function openAppend(record: SessionRecord, inputs: readonly MessageInput[], request: RequestIdentity): OpenAppend {
  const digest = createHash("sha256").update(JSON.stringify(inputs)).digest("hex");
  return record.open_append?.digest === digest ? record.open_append : { ...request, digest };
}

/**
 * Adds the parents to messages.
 * @param record the header before the append
 * @param isNew whether this append stored all of them, one after the other
 */
async function shownOf(
  stores: Stores,
  session: SessionId,
  record: SessionRecord,
  messages: readonly (MessageRecord | ShownMessage)[],
  isNew: boolean,
): Promise<ShownMessage[]> {
  if (messages.every((message) => "parent_id" in message)) return [...messages];
  const { head_id, head_at, branch = 0 } = record;
  const earliest = messages.map(positionOf).sort()[0] ?? "";
  if (isNew && earliest > (head_at ?? "")) {
    // The question of a running turn comes after the head.
    const known = head_id === undefined ? null : { id: head_id, branch };
    const isKnown = !record.turns && (head_id !== undefined || record.message_count === 0);
    const isOneBranch = messages.every((message) => (message.branch ?? 0) === branch);
    // If both hold, the first message follows the head, and the tree is not needed.
    const opened = isKnown && isOneBranch ? await source(LINEAR) : await source();
    return withParents(opened, { messages: [...messages], before: isKnown ? known : undefined });
  }
  const opened = await source();
  const each = await Promise.all(messages.map((message) => withParents(opened, { messages: [message] })));
  return each.flat();

  async function source(tree?: Tree) {
    return openMessages(stores, session, { kind: "active", record }, tree);
  }
}
