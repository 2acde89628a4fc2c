import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formerKeyOf, keyOf } from "../../../shared/archive/archive.s3.ts";
import { isHashed, userOfPart, userPart } from "../../../shared/archive/user-part.ts";
import { ID } from "../../../shared/session/schema.ts";

/** What Trino and Athena skip when they list the objects of a table. */
const SKIPPED = /(^|\/)[_.]/;

const nasty = fc.string({
  unit: fc.constantFrom("_", ".", "%", "5", "F", "2", "E", "/", "a", "sha256-", "é"),
  minLength: 1,
  maxLength: 8,
});
const anyUser = fc.oneof(fc.string({ unit: "grapheme", minLength: 1, maxLength: 255 }), nasty);
const id = fc.stringMatching(ID);
const created_at = fc.constantFrom("2026-11-21T12:00:00.000Z", "2026-11-22T00:00:00.000Z");
const session = fc.record({ user_id: anyUser, id, created_at });

describe("the key of an archived session", () => {
  it("has no part that Trino skips, for any ids of users and sessions", () => {
    fc.assert(fc.property(session, (each) => void expect(keyOf(each)).not.toMatch(SKIPPED)));
  });

  it("has three parts below the prefix and fits into S3's 1,024 bytes", () => {
    fc.assert(
      fc.property(session, (each) => {
        const key = keyOf(each);
        expect(key.split("/")).toHaveLength(4);
        expect(Buffer.byteLength(key)).toBeLessThanOrEqual(1024);
        expect(key.split("/")).not.toContain("..");
      }),
    );
  });

  it("differs from every other session's key, also in its former form", () => {
    fc.assert(
      fc.property(session, session, (one, other) => {
        const identity = ({ user_id, id, created_at }: typeof one) =>
          JSON.stringify([user_id, id, created_at.slice(0, 10)]);
        fc.pre(identity(one) !== identity(other));
        expect(keyOf(one)).not.toBe(keyOf(other));
        expect(keyOf(one)).not.toBe(formerKeyOf(other));
      }),
    );
  });

  it("contains the user unless the id is hashed", () => {
    fc.assert(
      fc.property(anyUser, (user) => {
        const part = userPart(user);
        expect(userOfPart(part)).toBe(isHashed(part) ? part : user);
      }),
    );
  });

  it.each([".", "..", "..."])(
    "of a user called %j has a hash instead of the user, as in earlier versions",
    (user_id) => {
      const session = { user_id, id: "s", created_at: "2026-11-21T12:00:00.000Z" };
      expect(keyOf(session)).toMatch(/^archive\/dt=2026-11-21\/sha256-[0-9a-f]{64}\/s\.jsonl\.gz$/);
      expect(formerKeyOf(session)).toBeNull();
    },
  );

  it.each([
    ["ann", "ann", null],
    ["a_b.c", "a_b.c", null],
    ["_ann", "%5Fann", "_ann"],
    [".ann", "%2Eann", ".ann"],
    ["__", "%5F_", "__"],
    ["._", "%2E_", "._"],
    ["%5Fann", "%255Fann", null],
    ["a/../b", "a%2F..%2Fb", null],
  ])("of the user %j has the part %j, and earlier %j", (user_id, part, former) => {
    const session = { user_id, id: "s", created_at: "2026-11-21T12:00:00.000Z" };
    expect(keyOf(session)).toBe(`archive/dt=2026-11-21/${part}/s.jsonl.gz`);
    expect(formerKeyOf(session)).toBe(former === null ? null : `archive/dt=2026-11-21/${former}/s.jsonl.gz`);
  });

  it.each([".", "..", "...", "sha256-ann", "x".repeat(201), "é".repeat(34)])("of the user %j has a hash", (user_id) => {
    const session = { user_id, id: "s", created_at: "2026-11-21T12:00:00.000Z" };
    expect(keyOf(session)).toMatch(/^archive\/dt=2026-11-21\/sha256-[0-9a-f]{64}\/s\.jsonl\.gz$/);
    expect(formerKeyOf(session)).toBeNull();
  });
});
