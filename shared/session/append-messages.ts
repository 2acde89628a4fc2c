import { AppError } from "../errors.ts";
import { sha256 } from "../hash.ts";
import { fitting, MAX_PAGE_BYTES, type MessageRecord, planMessages } from "./message.ts";
import { notFound, readSession } from "./read-session.ts";
import { restoreSession } from "./restore-session.ts";
import { contended, retryContended } from "./retry-contended.ts";
import type { MessageInput } from "./schema.ts";
import { expiryOf, type OpenAppend, type RequestIdentity, type SessionId, type SessionRecord } from "./session.ts";
import type { OnStored, Stores } from "./store.ts";

/**
 * Captures messages, in order; an archived session is restored first. A message whose id exists is not stored again
 * and comes back as it is. What fits one transaction is all or nothing; a larger append that broke off is taken up
 * where it stopped when it is repeated, with an Idempotency-Key or without. Throws `not_found`, and `payload_too_large` for
 * messages that no answer could hold.
 */
export async function appendMessages(
  stores: Stores,
  session: SessionId,
  inputs: readonly MessageInput[],
  request: RequestIdentity,
  onStored?: OnStored,
): Promise<MessageRecord[]> {
  const plan = planMessages(inputs, request);
  if (fitting(plan, plan.length).length < plan.length) {
    throw new AppError(
      "payload_too_large",
      `the answer would have more than ${MAX_PAGE_BYTES} bytes: append fewer at once`,
    );
  }
  let record = await activeSession(stores, session, request.at);
  const isWhole = stores.messages.maxPerAppend(plan, 0) === plan.length;
  const open = isWhole ? undefined : openAppend(record, inputs, request);
  const planned = open ? planMessages(inputs, open) : plan;
  const result = new Map(planned.toReversed().map((message) => [message.id, message]));

  let start = 0;
  let pending = [...result.values()].reverse();
  while (start < pending.length) {
    const end = start + stores.messages.maxPerAppend(pending, start);
    const outcome = await retryContended(async () => {
      const now = stores.clock();
      const answer = await stores.messages.append({
        record,
        messages: pending.slice(start, end),
        now,
        expiresAt: expiryOf(record, now),
        ...(open ? { open: end === pending.length ? null : open } : {}),
      });
      if (answer.kind !== "stale") return answer;
      record = await activeSession(stores, session, request.at);
      return contended;
    });
    if (outcome.kind === "present") {
      for (const [id, message] of outcome.messages) result.set(id, message);
      pending = pending.filter(({ id }, n) => n < start || !outcome.messages.has(id));
    } else {
      onStored?.({ messages: end - start });
      start = end;
    }
  }
  return planned.map((message) => result.get(message.id) ?? message);
}

/** The session, hot. */
async function activeSession(stores: Stores, session: SessionId, requestedAt: number): Promise<SessionRecord> {
  const state = await readSession(stores, session, requestedAt);
  if (state.kind === "none") throw notFound();
  return state.kind === "active" ? state.record : restoreSession(stores, session);
}

/** The append of just this that broke off, or a new one. */
function openAppend(record: SessionRecord, inputs: readonly MessageInput[], request: RequestIdentity): OpenAppend {
  const digest = sha256(JSON.stringify(inputs));
  return record.open_append?.digest === digest ? record.open_append : { ...request, digest };
}
