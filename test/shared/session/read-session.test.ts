import { describe, expect, it } from "vitest";
import { AppError } from "../../../shared/errors.ts";
import { hasLeftArchive } from "../../../shared/session/read-session.ts";
import type { ArchiveRef, SessionRecord } from "../../../shared/session/session.ts";
import type { Stores } from "../../../shared/session/store.ts";
import { NOON } from "../../support/world.ts";

const SESSION = { user: "ann", id: "one" };
const REF: ArchiveRef = { key: "archive/one", etag: '"first"', bytes: 10, chunks: [] };

const archived: SessionRecord = {
  user_id: SESSION.user,
  id: SESSION.id,
  status: "archived",
  title: null,
  metadata: {},
  created_at: new Date(NOON).toISOString(),
  updated_at: new Date(NOON).toISOString(),
  archived_at: new Date(NOON).toISOString(),
  expires_at: null,
  ttl_seconds: 60,
  pinned: false,
  message_count: 1,
  version: 1,
  generation: 1,
  archive: REF,
};
const { archive: _archive, archived_at: _at, ...rest } = archived;
const active: SessionRecord = { ...rest, status: "active" };

const gone = new AppError("not_found", "the archive of this session is gone");
const unavailable = new AppError("unavailable", "the archive does not answer");

/** Whether a session has left the archive, given what the table holds after a read of its archive object has failed. */
function judge(stored: SessionRecord, error: unknown): Promise<boolean> {
  const sessions = { find: async () => stored, findAnchor: async () => null };
  const stores = { sessions, clock: () => NOON } as unknown as Pick<Stores, "sessions" | "clock">;
  return hasLeftArchive(stores, SESSION, REF, error);
}

describe("after a failed read of an archive object, a session", () => {
  it("has left the archive when it was restored since", async () => {
    expect(await judge(active, gone)).toBe(true);
  });

  it("has left the archive when it was restored and archived again as another object", async () => {
    expect(await judge({ ...archived, archive: { ...REF, etag: '"second"' } }, gone)).toBe(true);
  });

  it("has not left the archive when its stub still names the object that is gone", async () => {
    expect(await judge(archived, gone)).toBe(false);
  });

  it.each([unavailable, new Error("a bug")])("has not left the archive after another error: %s", async (error) => {
    expect(await judge(active, error)).toBe(false);
  });
});
