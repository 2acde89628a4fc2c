import type { AuditNote, AuditOutbox } from "../audit/audit-record.ts";
import { toInstant } from "../clock.ts";
import { timeOrderedId } from "../session/message.ts";
import type { HttpContext } from "./http-request.ts";
import type { Operation } from "./operations/operation.ts";

/** Maximum uses of `act-as` whose notes this function instance remembers. */
const MAX_KNOWN = 10_000;

const known = new WeakMap<AuditOutbox, Set<string>>();

/**
 * Stores the notes of a request, from which a job makes audit records: one for the operation's `audited` action, and one when the actor acts
 * for another user for the first time of the day. If it throws `unavailable`, the request must do nothing.
 */
export async function leaveNotes(
  operation: Operation,
  outbox: AuditOutbox,
  context: Pick<HttpContext, "actor" | "user" | "query" | "body">,
  request_id: string,
  now: number,
): Promise<void> {
  const { actor, user } = context;
  const { audited: action } = operation;
  const notes = [
    ...(actor === user ? [] : [actAs(actor, user, request_id, now)]),
    ...(action ? [note({ actor, action, ...subjectOf(operation, context), request_id }, now)] : []),
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

/** Creates the note of an action, before the action. */
export function note(what: Omit<AuditNote, "id" | "at">, now: number): AuditNote {
  const id = timeOrderedId({ seed: `${what.request_id} ${what.action}`, at: now }, 0);
  return { id, at: toInstant(now), ...what };
}

/** Creates the note of a use of `act-as`. Its id is the same all day, so that the notes of many functions become one record. */
function actAs(actor: string, subject: string, request_id: string, now: number): AuditNote {
  const at = toInstant(now);
  const midnight = Date.parse(at.slice(0, 10));
  const id = timeOrderedId({ seed: JSON.stringify(["act_as", actor, subject]), at: midnight }, 0);
  return { id, at, actor, action: "act_as", subject, request_id };
}

/** Finds the user whose data a request is about. An admin may name one. Otherwise, a route for admins is about no single user. */
function subjectOf(
  { access }: Operation,
  { user, query, body }: Pick<HttpContext, "user" | "query" | "body">,
): Pick<AuditNote, "subject"> {
  for (const input of [body, query]) {
    const { user_id } = (input ?? {}) as { user_id?: unknown };
    if (typeof user_id === "string") return { subject: user_id };
  }
  return access === "admin" ? {} : { subject: user };
}
