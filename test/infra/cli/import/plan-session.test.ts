import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Conversation, SourceMessage } from "../../../../infra/cli/import/conversation.ts";
import { batchesFrom, planSession, sessionId } from "../../../../infra/cli/import/plan-session.ts";
import { appendMessagesSchema, createSessionSchema, type MessageInput } from "../../../../shared/session/schema.ts";

const message = (at?: number, content = "x"): SourceMessage => ({
  role: "user",
  content,
  ...(at !== undefined && { at }),
});
const plan = (messages: SourceMessage[], more: Partial<Conversation> = {}) =>
  planSession({ id: "s", messages, ...more });
const times = (messages: SourceMessage[], startedAt?: number) =>
  plan(messages, startedAt === undefined ? {} : { startedAt }).messages.map(
    ({ created_at: at }) => at && Date.parse(at),
  );

describe("a session's id", () => {
  test("is the source's id if the API accepts it", () => {
    expect(sessionId("dlg-881444f3-24fc")).toBe("dlg-881444f3-24fc");
  });

  test("is a hash, the same in every run, if the API does not accept the source's id", () => {
    expect(sessionId("dev/1_00000")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5/);
    expect(sessionId("dev/1_00000")).toBe(sessionId("dev/1_00000"));
    expect(sessionId("a\ud83d")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5/);
    expect(sessionId("dev/1_00000")).not.toBe(sessionId("dev/1_00001"));
  });

  test("stays in the metadata when it is replaced, and the change is counted", () => {
    const { session, changes } = plan([], { id: "dev/1_00000" });
    expect(session).toEqual({ id: sessionId("dev/1_00000"), metadata: { source_id: "dev/1_00000" } });
    expect(changes).toEqual({ moved: 0, renamed: 1, mended: 0, detached: 0 });
    expect(plan([], { id: "dev-1" })).toMatchObject({ session: { id: "dev-1" }, changes: { renamed: 0 } });
    expect(plan([], { id: "dev-1" }).session).not.toHaveProperty("metadata");
  });

  test("is cut in the metadata when it is too long", () => {
    const { session, changes } = plan([], { id: "\u0000".repeat(5000) });
    expect(session.metadata).toEqual({ source_id: "\u0000".repeat(500) });
    expect(changes).toEqual({ moved: 0, renamed: 1, mended: 1, detached: 0 });
  });
});

describe("the times of messages", () => {
  test("are the source's", () => {
    expect(times([message(5000), message(5000), message(7000)])).toEqual([5000, 5000, 7000]);
  });

  test("never decrease, because the order matters more than the clock, and each change is counted", () => {
    const messages = [message(5000), message(3000), message(4000), message(6000)];
    expect(times(messages)).toEqual([5000, 5001, 5002, 6000]);
    expect(plan(messages).changes.moved).toBe(2);
  });

  test("are later than those of the messages before them when the source has no time", () => {
    expect(times([message(), message(), message(9000), message()], 5000)).toEqual([5000, 5001, 9000, 9001]);
    expect(times([message(), message(9000)])).toEqual([9000, 9000]);
    expect(plan([message(), message(9000)]).changes.moved).toBe(0);
  });

  test("are never equal in a session of several batches, because the API sorts equal ones by arrival", () => {
    const found = times(Array.from({ length: 250 }, (_, i) => message(i === 249 ? 5100 : 5000)));
    expect(found).toEqual(Array.from({ length: 250 }, (_, i) => 5000 + i));
    expect(times(Array.from({ length: 99 }, () => message(5000)))).toEqual(Array(99).fill(5000));
  });

  test("are the server's when the source has none", () => {
    const { session, messages } = plan([message(), message()]);
    expect(messages).toEqual([
      { role: "user", content: "x" },
      { role: "user", content: "x" },
    ]);
    expect(session).toEqual({ id: "s" });
  });

  test("begin with the session's start, which is not later than the first message", () => {
    expect(plan([message(9000)], { startedAt: 5000 }).session.created_at).toBe(new Date(5000).toISOString());
    expect(plan([message(4000)], { startedAt: 5000 }).session.created_at).toBe(new Date(4000).toISOString());
    expect(plan([message(4000)]).session.created_at).toBe(new Date(4000).toISOString());
  });
});

describe("the texts of a conversation", () => {
  test("are cut to the maximum length of a title, but not within a character", () => {
    const { session, changes } = plan([], { title: `${"x".repeat(499)}😀😀` });
    expect(session.title).toBe("x".repeat(499));
    expect(changes.mended).toBe(1);
  });

  test("get a replacement character for half of a surrogate pair", () => {
    const { messages, changes } = plan([message(1, "a\ud83d")]);
    expect(messages[0]?.content).toBe("a\ufffd");
    expect(changes.mended).toBe(1);
  });

  test.each([
    ["content", { content: "é".repeat(150 * 1024 + 1) }, "messages[1].content: must be at most 307200 bytes"],
    ["metadata", { metadata: { x: "y".repeat(5000) } }, "messages[1].metadata: must be at most 4096 bytes"],
    ["name", { name: "n".repeat(129) }, "messages[1].name"],
  ])("make a bad record when they are too long for %s", (_, fields, reason) => {
    expect(() => plan([message(), { ...message(), ...fields }])).toThrow(reason);
  });
});

test("the API accepts the plan of any conversation, and its times never decrease", () => {
  const at = fc.option(fc.integer({ min: 0, max: 4e12 }), { nil: undefined });
  const messages = fc.array(
    fc.tuple(at, fc.string({ unit: "binary" })).map(([time, content]) => message(time, content)),
  );
  fc.assert(
    fc.property(messages, at, fc.string({ unit: "binary" }), (list, startedAt, id) => {
      const { session, messages } = plan(list, { id, ...(startedAt !== undefined && { startedAt }) });
      expect(createSessionSchema.parse(session)).toEqual(session);
      if (messages.length > 0 && messages.length <= 100)
        expect(appendMessagesSchema.safeParse({ messages }).success).toBe(true);
      const order = messages.map(({ created_at: time }) => (time === undefined ? 0 : Date.parse(time)));
      expect(order).toEqual(order.toSorted((a, b) => a - b));
    }),
    { numRuns: 40 },
  );
});

describe("batches", () => {
  const inputs = (sizes: number[]): MessageInput[] =>
    sizes.map((size) => ({ role: "user", content: "x".repeat(size) }));

  test("fill one transaction with the header, and have at most 2 MB", () => {
    expect(
      [...batchesFrom(inputs(Array(250).fill(1)), 0)].map(({ start, messages }) => [start, messages.length]),
    ).toEqual([
      [0, 99],
      [99, 99],
      [198, 52],
    ]);
    const large = [...batchesFrom(inputs(Array(20).fill(300_000)), 0)];
    expect(large.map(({ messages }) => messages.length)).toEqual([6, 6, 6, 2]);
    for (const { messages } of large) expect(JSON.stringify({ messages }).length).toBeLessThan(2 * 1024 * 1024 + 20);
  });

  test("end at the same messages in a continued run as in the first run", () => {
    const sizes = fc.array(fc.oneof(fc.constant(1), fc.constant(300_000)), { maxLength: 220 });
    fc.assert(
      fc.property(sizes, fc.nat(220), (list, from) => {
        const messages = inputs(list);
        const rest = [...batchesFrom(messages, from)];
        expect(rest.flatMap((batch) => batch.messages)).toEqual(messages.slice(from));
        const starts = [...batchesFrom(messages, 0)].map(({ start }) => start).filter((start) => start > from);
        expect(rest.slice(starts.length < rest.length ? 1 : 0).map(({ start }) => start)).toEqual(starts);
      }),
      { numRuns: 40 },
    );
  });
});
