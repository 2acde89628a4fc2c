import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  fitting,
  MAX_PAGE_BYTES,
  type MessageRecord,
  POSITION,
  planMessages,
  positionOf,
  sizeInAnswer,
  timeOrderedId,
  toMessage,
} from "../../../shared/session/message.ts";
import type { MessageInput } from "../../../shared/session/schema.ts";

const seed = fc.string();
const at = fc.integer({ min: 0, max: 253_402_300_799_999 });
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("a time-ordered id", () => {
  it("is a UUID of version 7 that holds its time", () => {
    fc.assert(
      fc.property(seed, at, fc.nat(99), (seed, at, n) => {
        const id = timeOrderedId({ seed, at }, n);
        expect(id).toMatch(UUID_V7);
        expect(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toBe(at);
      }),
    );
  });

  it("sorts by time first, then by the place in its batch", () => {
    fc.assert(
      fc.property(seed, seed, at, at, fc.nat(99), fc.nat(99), (seed1, seed2, at1, at2, n1, n2) => {
        const [one, two] = [timeOrderedId({ seed: seed1, at: at1 }, n1), timeOrderedId({ seed: seed2, at: at2 }, n2)];
        if (at1 !== at2) expect(one < two).toBe(at1 < at2);
        else if (n1 !== n2) expect(one < two).toBe(n1 < n2);
      }),
    );
  });

  it("is the same for the same request, and different for any other request", () => {
    const ids = ["a", "b"].flatMap((seed) => [0, 1].flatMap((at) => [0, 1].map((n) => timeOrderedId({ seed, at }, n))));
    expect(new Set(ids).size).toBe(8);
    expect(timeOrderedId({ seed: "a", at: 0 }, 0)).toBe(ids[0]);
  });
});

describe("planning messages", () => {
  const input: fc.Arbitrary<Omit<MessageInput, "parts">> = fc.record(
    {
      id: fc.stringMatching(/^[a-z]{1,8}$/),
      role: fc.constantFrom("user", "assistant"),
      content: fc.string(),
      created_at: fc.constantFrom("2020-01-01T00:00:00.000Z", "2030-01-01T00:00:00.000Z"),
    },
    { requiredKeys: ["role", "content"] },
  );
  const batch = fc.array(input, { minLength: 1, maxLength: 100 });

  it("gives the same messages for the same request, in order, with the ids and times of the request", () => {
    fc.assert(
      fc.property(batch, seed, at, (inputs, seed, at) => {
        const plan = planMessages(inputs, { seed, at });
        expect(planMessages(inputs, { seed, at })).toEqual(plan);
        for (const [n, message] of plan.entries()) {
          const { id, created_at, content } = inputs[n]!;
          expect(message).toMatchObject({ content, created_at: created_at ?? new Date(at).toISOString() });
          expect(message.id).toBe(id ?? timeOrderedId({ seed, at }, n));
          expect(message.keyed).toBe(id === undefined ? undefined : true);
          expect(positionOf(message)).toMatch(POSITION);
        }
        const positions = plan.map(positionOf);
        expect(new Set(positions).size).toBe(plan.length);
        const untimed = plan.filter((_, n) => inputs[n]?.created_at === undefined).map(positionOf);
        expect(untimed.toSorted()).toEqual(untimed);
      }),
    );
  });

  it("shows no field of the storage format", () => {
    const [message] = planMessages([{ id: "own", role: "user", content: "x" }], { seed: "s", at: 0 });
    expect(toMessage({ ...message!, parent_id: null }, "session")).toEqual({
      id: "own",
      session_id: "session",
      parent_id: null,
      role: "user",
      content: "x",
      created_at: "1970-01-01T00:00:00.000Z",
    });
  });
});

describe("a page of messages", () => {
  const message = (content: string): MessageRecord => ({ id: "i", role: "user", content, created_at: "t" });

  it("holds as many as its limit and its bytes allow, and at least one", () => {
    const large = Array.from({ length: 40 }, () => message('"'.repeat(300_000)));
    const page = fitting(large, 100);
    const bytes = (count: number) => large.slice(0, count).reduce((sum, one) => sum + sizeInAnswer(one), 0);
    expect(bytes(page.length)).toBeLessThanOrEqual(MAX_PAGE_BYTES);
    expect(bytes(page.length + 1)).toBeGreaterThan(MAX_PAGE_BYTES);
    expect(fitting(large, 2)).toHaveLength(2);
    expect(fitting([message("x".repeat(6_000_000))], 10)).toHaveLength(1);
    expect(fitting([], 10)).toEqual([]);
  });
});
