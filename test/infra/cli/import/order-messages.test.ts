import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SourceMessage } from "../../../../infra/cli/import/conversation.ts";
import { orderMessages } from "../../../../infra/cli/import/order-messages.ts";
import { planSession } from "../../../../infra/cli/import/plan-session.ts";
import { type Planned, placeMessages } from "../../../../shared/session/place-messages.ts";
import { LINEAR } from "../../../../shared/session/tree.ts";

const message = (id: string, parent?: string | null): SourceMessage => ({
  role: "user",
  content: id,
  id,
  ...(parent !== undefined && { parent }),
});
const order = (messages: SourceMessage[], more: object = {}) => orderMessages({ id: "c", messages, ...more });

describe("the order of messages", () => {
  test("is that of the list when every parent comes before its children", () => {
    const list = [message("a", null), message("b", "a"), message("c", "a"), message("d", "b")];
    expect(order(list)).toEqual({
      order: [0, 1, 2, 3],
      parents: [undefined, 0, 0, 1],
      head: 3,
      branches: 1,
      detached: 0,
    });
  });

  test("is branch by branch when a parent comes after its child", () => {
    const list = [message("d", "b"), message("c", "a"), message("b", "a"), message("a", null)];
    expect(order(list).order).toEqual([3, 1, 2, 0]);
  });

  test("omits skipped nodes, also when they form a cycle", () => {
    const skipped = new Map<string, string | null>([
      ["x", "a"],
      ["y", "x"],
      ["z", null],
      ["p", "q"],
      ["q", "p"],
    ]);
    const list = [message("a", "z"), message("b", "y"), message("c", "p")];
    expect(order(list, { skipped, head: "y" })).toMatchObject({
      parents: [undefined, 0, undefined],
      head: 0,
      detached: 1,
    });
  });

  test("is an error when there are more branches than a session can have", () => {
    const star = [message("a", null), ...Array.from({ length: 1000 }, (_, n) => message(`b${n}`, "a"))];
    expect(() => order(star)).toThrow("the conversation has 1000 branches; a session has 999 at most");
    // Two branches that take turns: one after the other they need two branches only.
    const turns = Array.from({ length: 2100 }, (_, n) => message(`m${n}`, n < 2 ? null : `m${n - 2}`));
    expect(order(turns).order.slice(0, 3)).toEqual([0, 2, 4]);
  });
});

test("the API accepts the messages of any tree in this order, and each message keeps its parent", () => {
  const parents = fc.array(fc.option(fc.nat(40), { nil: null }), { maxLength: 40 });
  fc.assert(
    fc.property(parents, fc.array(fc.integer({ min: 0, max: 9999 }), { maxLength: 40 }), (list, times) => {
      const messages = list.map((parent, n) => {
        const at = times[n];
        return {
          ...message(`m${n}`, parent === null ? null : `m${parent}`),
          ...(at !== undefined && { at: at * 1000 }),
        };
      });
      const plan = planSession({ id: "c", messages, keepsIds: true });
      const planned = plan.messages.map((input, n): Planned => {
        const created_at = input.created_at ?? "2026-01-01T00:00:00.000Z";
        const order = `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;
        return {
          input,
          message: { id: input.id!, order, role: "user", content: "", created_at },
          path: `messages.${n}.`,
        };
      });
      const placed = placeMessages(LINEAR, null, planned, new Map(), new Map()).messages;
      const stored = new Map(placed.map((each) => [each.id, "parent_id" in each ? each.parent_id : undefined]));
      expect(stored.size).toBe(list.length);
      const { parents: resolved } = orderMessages({ id: "c", messages });
      for (const [n, parent] of resolved.entries()) {
        // A list without branches says nothing of parents: each message follows the one before it.
        if (plan.branches > 0) expect(stored.get(`m${n}`)).toBe(parent === undefined ? null : `m${parent}`);
      }
    }),
    { numRuns: 200 },
  );
});
