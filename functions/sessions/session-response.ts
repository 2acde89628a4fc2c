import type { HttpResponse } from "../../shared/http/http-handler.ts";
import { etagOf, type SessionRecord, toSession } from "../../shared/session/session.ts";

/** A session as an answer, with its ETag. `now` is in epoch milliseconds. */
export const sessionResponse = (
  record: SessionRecord,
  now: number,
  status = 200,
  headers: Record<string, string> = {},
): HttpResponse => ({ status, headers: { etag: etagOf(record, now), ...headers }, body: toSession(record, now) });
