import type { AuditNote, AuditOutbox } from "../audit/audit-record.ts";
import { toInstant } from "../clock.ts";
import { timeOrderedId } from "../session/message.ts";
import type { HttpContext } from "./http-request.ts";
import type { Operation } from "./operations/operation.ts";

/** Uses of `act-as` that an instance knows to be noted. */
const MAX_KNOWN = 10_000;

const known = new WeakMap<AuditOutbox, Set<string>>();

/**
 * Leaves the notes of a request, from which audit records are made: that it does what `audited` says, and that its actor acts for another
 * user for the first time of the day. Throws `unavailable`, and then the request must not act.
 */
export async function leaveNotes(
  { audited }: Operation,
  outbox: AuditOutbox,
  { actor, user, body }: Pick<HttpContext, "actor" | "user" | "body">,
  request_id: string,
  now: number,
): Promise<void> {
  const notes = [
    ...(actor === user ? [] : [actAs(actor, user, request_id, now)]),
    ...(audited ? [note({ actor, action: audited, subject: subjectOf(user, body), request_id }, now)] : []),
  ];
  const seen = known.get(outbox) ?? new Set();
  known.set(outbox, seen);
  await Promise.all(
    notes
      .filter(({ id }) => !seen.has(id))
      .map(async (left) => {
        await outbox.leave(left);
        if (left.action !== "act_as") return;
        if (seen.size >= MAX_KNOWN) seen.clear();
        seen.add(left.id);
      }),
  );
}

/** The note of an action that a request is about to take. */
export function note(what: Omit<AuditNote, "id" | "at">, now: number): AuditNote {
  const id = timeOrderedId({ seed: `${what.request_id} ${what.action}`, at: now }, 0);
  return { id, at: toInstant(now), ...what };
}

/** Its id is the same for every use of the day, so that it becomes one record, however many functions write it. */
function actAs(actor: string, subject: string, request_id: string, now: number): AuditNote {
  const at = toInstant(now);
  const midnight = Date.parse(at.slice(0, 10));
  const id = timeOrderedId({ seed: JSON.stringify(["act_as", actor, subject]), at: midnight }, 0);
  return { id, at, actor, action: "act_as", subject, request_id };
}

/** Whose data a request is about: an admin may name a user in the body. */
function subjectOf(user: string, body: unknown): string {
  const { user_id } = (body ?? {}) as { user_id?: unknown };
  return typeof user_id === "string" ? user_id : user;
}
