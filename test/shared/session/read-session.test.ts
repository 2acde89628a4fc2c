import { describe, expect, it } from "vitest";
import { AppError } from "../../../shared/errors.ts";
import { lookAt } from "../../../shared/session/read-session.ts";
import { contended } from "../../../shared/session/retry-contended.ts";
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

const gone = new AppError("not_found", "the archived messages of this session no longer exist");
const unknown = new AppError("validation_failed", "no such message");
const unavailable = new AppError("unavailable", "the archive does not answer");

/** How a look at an archived session ends that fails, given what the table holds after that. */
function look(stored: SessionRecord, error: unknown): Promise<unknown> {
  const sessions = { find: async () => stored, findAnchor: async () => null };
  const stores = { sessions, clock: () => NOON } as unknown as Pick<Stores, "sessions" | "clock">;
  return lookAt(stores, SESSION, { kind: "archived", record: archived }, () => Promise.reject(error));
}

describe("after a failed read of the archive, a session", () => {
  it("is read again when it was restored since", async () => {
    expect(await look(active, gone)).toBe(contended);
    expect(await look(active, unknown)).toBe(contended);
  });

  it("is read again when it was restored and archived again as another object", async () => {
    expect(await look({ ...archived, archive: { ...REF, etag: '"second"' } }, gone)).toBe(contended);
  });

  it("is not read again when its stub still names the missing object", async () => {
    await expect(look(archived, gone)).rejects.toBe(gone);
  });

  it.each([unavailable, new Error("a bug")])("is not read again after another error: %s", async (error) => {
    await expect(look(active, error)).rejects.toBe(error);
  });
});
