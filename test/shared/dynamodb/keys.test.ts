import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  anchorKey,
  counterKey,
  headerKey,
  idempotencyKey,
  type Key,
  lakeDayKey,
  limitsKey,
  liveTextKey,
  memoryKey,
  memoryLayoutKey,
  memorySummaryKey,
  messageIdKey,
  messageKey,
  parseMessageKey,
  parseSessionKey,
  parseTombstoneKey,
  providerKey,
  sessionKey,
  shardOf,
  shards,
  tombstoneKey,
  userKey,
} from "../../../shared/dynamodb/keys.ts";
import { ID } from "../../../shared/session/schema.ts";

/** Any user id that an OpenID Connect issuer may use. */
const user = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
const nasty = fc.string({ unit: fc.constantFrom("#", "%", "2", "3", "S", "U", "/", "a"), minLength: 1, maxLength: 12 });
const anyUser = fc.oneof(user, nasty);
const id = fc.stringMatching(ID);
/** Sessions of earlier versions began at 1. The others begin at the second of their creation, counted from 2024. */
const generation = fc.oneof(fc.integer({ min: 1, max: 8000 }), fc.integer({ min: 85_000_000, max: 2 ** 31 - 1 }));

/** Stored items have these keys. If a key changes, its items cannot be found. */
const stored: [what: string, key: Key, pk: string, sk: string][] = [
  ["an anchor", anchorKey("ann", "s"), "U#ann#S#s", "A"],
  ["a tombstone", tombstoneKey("ann", "s", 92_000_000), "U#ann#S#s", "D#0092000000"],
  ["a tombstone of an earlier version", tombstoneKey("ann", "s", 7), "U#ann#S#s", "D#000007"],
  ["a memory", memoryKey("ann", "s", "m"), "U#ann#S#s", "E#m"],
  ["a message id", messageIdKey("ann", "s", 1_000_000, "m"), "U#ann#S#s", "I#0001000000#m"],
  ["a running turn", liveTextKey("ann", "s", 999_999, "m"), "U#ann#S#s", "L#999999#m"],
  ["a message", messageKey("ann", "s", 92_000_000, "2026#m"), "U#ann#S#s", "M#0092000000#2026#m"],
  ["a header", headerKey("ann", "s"), "U#ann#S#s", "Z"],
  ["what is known of a user's memories", memorySummaryKey("a#b%c"), "U#a%23b%25c", "E"],
  ["where vectors are", memoryLayoutKey, "C#memories", "layout"],
  ["a repeatable request", idempotencyKey("ann", "d1"), "U#ann#K", "K#d1"],
  ["what a user has used", limitsKey("ann"), "U#ann#L", "L"],
  ["a provider's circuit", providerKey("api.openai.com", "breaker"), "P#api.openai.com", "breaker"],
  ["a counter of sessions", counterKey("07"), "C#active_sessions", "07"],
  ["a day of the lake", lakeDayKey("2026-11-21"), "L#days", "2026-11-21"],
];

describe("keys", () => {
  it.each(stored)("of %s do not change", (_what, key, pk, sk) => {
    expect(key).toEqual({ pk, sk });
  });

  it("differ for every user and session", () => {
    fc.assert(
      fc.property(anyUser, nasty, anyUser, nasty, (user1, id1, user2, id2) => {
        const same = user1 === user2 && id1 === id2;
        expect(sessionKey(user1, id1) === sessionKey(user2, id2)).toBe(same);
      }),
    );
  });

  it("contain the user and the session", () => {
    fc.assert(
      fc.property(
        anyUser,
        id,
        (name, id) => void expect(parseSessionKey(sessionKey(name, id))).toEqual({ user: name, id }),
      ),
    );
  });

  it("of a user's requests differ from another user's sessions and requests", () => {
    fc.assert(
      fc.property(nasty, nasty, nasty, (one, other, digest) => {
        fc.pre(one !== other);
        expect(idempotencyKey(one, digest).pk).not.toBe(idempotencyKey(other, digest).pk);
        expect(idempotencyKey(one, digest).pk.startsWith(`${userKey(other)}#`)).toBe(false);
      }),
    );
  });

  it("of the longest names are within DynamoDB's limit", () => {
    const key = messageIdKey("€".repeat(255), "x".repeat(128), 2 ** 31 - 1, "x".repeat(128));
    expect(Buffer.byteLength(key.pk)).toBeLessThanOrEqual(2048);
    expect(Buffer.byteLength(sessionKey("#".repeat(255), "x".repeat(128)))).toBeLessThanOrEqual(2048);
    expect(Buffer.byteLength(key.sk)).toBeLessThanOrEqual(1024);
  });

  it("sort a session as: anchor, tombstones, ids, messages by generation and position, header", () => {
    const position = fc
      .tuple(fc.date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true }), fc.uuid())
      .map(([date, uuid]) => `${date.toISOString()}#${uuid}`);
    fc.assert(
      fc.property(generation, generation, position, position, id, (g1, g2, p1, p2, name) => {
        const [one, two] = [messageKey("u", "s", g1, p1).sk, messageKey("u", "s", g2, p2).sk];
        expect(parseMessageKey(one)).toEqual({ generation: g1, position: p1 });
        expect(one < two).toBe(g1 < g2 || (g1 === g2 && p1 < p2));
        const sorted = [
          anchorKey("u", "s").sk,
          tombstoneKey("u", "s", g1).sk,
          messageIdKey("u", "s", g1, name).sk,
          one,
          headerKey("u", "s").sk,
        ];
        expect(sorted.toSorted()).toEqual(sorted);
        expect(sorted.map(parseTombstoneKey)).toEqual([{}, { tombstone: g1 }, {}, {}, {}]);
      }),
    );
  });

  it("spread sessions over all shards, and a session always has the same shard", () => {
    const found = Array.from({ length: 1000 }, (_, n) => shardOf("ann", `session-${n}`));
    expect(new Set(found)).toEqual(new Set(shards));
    fc.assert(fc.property(anyUser, id, (name, session) => void expect(shards).toContain(shardOf(name, session))));
  });
});
