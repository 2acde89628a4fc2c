import pMap from "p-map";
import { toInstant, toSeconds } from "../clock.ts";
import { isExpired, type SessionId, type SessionRecord } from "./session.ts";
import type { Stores } from "./store.ts";

/** Sessions that expire at the same time. */
const PARALLEL = 10;

/**
 * Makes every session expire now that is not pinned and whose last write was before `idleSince` (epoch ms). Stops at `deadline` (epoch
 * ms); the next call finds the remaining sessions. A preview counts the sessions and changes nothing.
 */
export async function expireIdle(
  { sessions, clock }: Pick<Stores, "sessions" | "clock">,
  idleSince: number,
  deadline: number,
  isPreview = false,
): Promise<{ expired: number; complete: boolean }> {
  let expired = 0;
  for await (const page of sessions.all()) {
    for (let start = 0; start < page.length; start += 100) {
      if (clock() > deadline) return { expired, complete: false };
      const idle = (await sessions.findMany(page.slice(start, start + 100))).filter((record) =>
        isIdle(record, idleSince, clock()),
      );
      if (isPreview) expired += idle.length;
      else {
        const done = await pMap(idle, (record) => expireNow({ sessions, clock }, record), { concurrency: PARALLEL });
        expired += done.filter(Boolean).length;
      }
    }
  }
  return { expired, complete: true };
}

/**
 * Makes a session expire now. False when another request has written to it: then its version has changed, so this write fails. The
 * reconciler deletes an incognito session soon, even if DynamoDB deletes the header days late.
 */
export function expireNow(
  { sessions, clock }: Pick<Stores, "sessions" | "clock">,
  from: SessionRecord,
): Promise<boolean> {
  const session: SessionId = { user: from.user_id, id: from.id };
  const to = { ...from, expires_at: toSeconds(clock()), version: from.version + 1 };
  const anchor = { expect: { live: from.generation }, set: { due_at: toInstant(clock()) } };
  return sessions.transit(session, { from, to, ...(from.incognito ? { anchor } : {}), active: 0 });
}

const isIdle = (record: SessionRecord, idleSince: number, now: number): boolean =>
  record.status === "active" && !record.pinned && !isExpired(record, now) && record.updated_at <= toInstant(idleSince);
