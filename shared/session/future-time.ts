import { AppError } from "../errors.ts";

/**
 * Milliseconds that a `created_at` may lie in the future, because the clocks of clients differ. Athena looks for days up to tomorrow
 * (the projection in infra/stacks/catalog.ts), so a session of a later day would not be found there.
 */
export const MAX_AHEAD = 86_400_000;

interface Timed {
  created_at?: string | undefined;
}

/** Throws `validation_failed`, naming each `created_at` of a new session or of messages that lies too far in the future. */
export function refuseFuture(body: Timed | { messages: readonly Timed[] }, now: number): void {
  const given = "messages" in body ? body.messages.map((message, n) => ({ ...message, at: `messages.${n}.` })) : [body];
  const fields = given.flatMap(({ created_at, ...rest }) =>
    created_at !== undefined && Date.parse(created_at) - now > MAX_AHEAD
      ? [{ path: `${"at" in rest ? rest.at : ""}created_at`, message: "must be at most 24 hours in the future" }]
      : [],
  );
  const [first] = fields;
  if (first) throw new AppError("validation_failed", `${first.path}: ${first.message}`, { fields });
}
