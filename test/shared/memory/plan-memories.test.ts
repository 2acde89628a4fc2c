import { describe, expect, it } from "vitest";
import { planMemories } from "../../../shared/memory/plan-memories.ts";
import { countTerms } from "../../../shared/memory/terms.ts";
import { type MessageRecord, timeOrderedId } from "../../../shared/session/message.ts";

const SESSION = { user: "ann", id: "s1" };
const AT = Date.parse("2026-11-21T12:00:00.000Z");

const message = (more: Partial<MessageRecord> = {}): MessageRecord => ({
  id: timeOrderedId({ seed: "request", at: AT }, 0),
  role: "user",
  content: "The boiler needs a new valve.",
  created_at: "2026-11-21T12:00:00.000Z",
  ...more,
});
const plan = (more: Partial<MessageRecord> = {}) => planMemories(SESSION, 1, 1, message(more));

describe("the memories of a message", () => {
  it("contain text, speaker and time", () => {
    expect(plan({ name: "Ann", created_at: "2026-03-04T23:59:00.000Z" })).toEqual([
      {
        user_id: "ann",
        id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/),
        session_id: "s1",
        message_id: message().id,
        role: "user",
        name: "Ann",
        content: "The boiler needs a new valve.",
        created_at: "2026-03-04T23:59:00.000Z",
        arrived: AT,
        generation: 1,
        counts: countTerms(["ann", "4", "march", "2026", "boiler", "need", "new", "valv"]),
      },
    ]);
    expect(plan()[0]?.counts.has("user")).toBe(true);
  });

  it.each([
    ["instructions", { role: "system" }],
    ["what tools say", { role: "tool" }],
    ["answers of the model that only quotes memories", { role: "assistant", model: "offline" }],
    ["courtesies", { content: "Thank you very much!" }],
    ["nothing", { content: "  " }],
  ] as const)("are none of %s", (_what, more) => {
    expect(plan(more)).toEqual([]);
  });

  it("include answers of all models except the offline one", () => {
    expect(plan({ role: "assistant", model: "model-a" })).toHaveLength(1);
  });

  it("have ids that depend on user, session, life, message and chunk only", () => {
    const ids = [
      ...planMemories(SESSION, 1, 1, message({ content: "All about granite. ".repeat(200) })),
      ...planMemories({ ...SESSION, id: "s2" }, 1, 1, message()),
      ...planMemories({ ...SESSION, user: "bob" }, 1, 1, message()),
      ...planMemories(SESSION, 2, 2, message()),
      ...plan({ id: timeOrderedId({ seed: "other request", at: AT }, 0) }),
    ].map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(5);
    expect(new Set(ids).size).toBe(ids.length);
    // A restore makes a new generation of the same messages.
    expect(planMemories(SESSION, 1, 2, message()).map(({ id }) => id)).toEqual(plan().map(({ id }) => id));
  });

  it("sort by time, then by position in the request, then by position in the message", () => {
    const long = "All about granite. ".repeat(200);
    const inRequest = (n: number, created_at: string) =>
      plan({ id: timeOrderedId({ seed: "request", at: AT }, n), content: long, created_at });
    const ids = [
      ...inRequest(9, "2025-01-01T00:00:00.000Z"),
      ...inRequest(0, "2026-11-21T12:00:00.000Z"),
      ...inRequest(1, "2026-11-21T12:00:00.000Z"),
      ...inRequest(300, "2026-11-21T12:00:00.000Z"),
      ...inRequest(2, "2026-11-21T12:00:00.001Z"),
    ].map(({ id }) => id);
    expect(ids.toSorted()).toEqual(ids);
  });

  it("have the arrival time of the capture, whatever `created_at` says", () => {
    expect(plan({ created_at: "2020-01-01T00:00:00.000Z" })[0]?.arrived).toBe(AT);
    // An id that a client chose does not contain the time, but `order` does.
    const order = timeOrderedId({ seed: "request", at: AT + 5 }, 0);
    expect(plan({ id: "mine", order, created_at: "2020-01-01T00:00:00.000Z" })[0]?.arrived).toBe(AT + 5);
    expect(plan({ id: "mine", created_at: "2020-01-01T00:00:00.000Z" })[0]?.arrived).toBe(
      Date.parse("2020-01-01T00:00:00.000Z"),
    );
  });
});
