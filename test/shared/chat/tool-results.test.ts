import { expect, it, vi } from "vitest";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { ok } from "../../support/session-checks.ts";
import { createStage, SESSION } from "../../support/session-stage.ts";

vi.spyOn(console, "log").mockImplementation(() => undefined);
vi.mock("../../../shared/clock.ts", async (original) => ({
  ...(await original<object>()),
  backOff: async () => undefined,
}));

const resultOf = (tool_call_id: string) => ({
  role: "tool" as const,
  content: "",
  parts: [{ type: "tool_result" as const, tool_call_id, output: "sunny" }],
});

it.each([1, 2])(
  "results of %i tool calls are stored once, when an equal request comes at any call of the first",
  async (count) => {
    const [first = "", ...others] = ["call-1", "call-2"].slice(0, count).toReversed();
    for (let n = 0; ; n++) {
      const stage = createStage();
      await stage.create();
      await stage.say("What is the weather?");
      stage.advance(1);
      const calls = [...others, first].map((id) => ({
        type: "tool_call" as const,
        id,
        tool_call_id: id,
        name: "weather",
        input: {},
      }));
      const request = { seed: "calls", at: stage.stores.clock() };
      await appendMessages(stage.stores, SESSION, [{ role: "assistant", content: "", parts: calls }], request);
      stage.advance(1);
      const answer = () => ok(() => stage.turn("", { question: resultOf(first), since: others.map(resultOf) }));
      const answers = await stage.interleaved(n, answer, answer);
      if (!answers) break;
      expect([n, answers.toSorted()]).toEqual([n, ["ok", "validation_failed"]]);
      const all = (await stage.messages("all")) ?? [];
      expect([n, all.flatMap(({ parts = [] }) => parts).filter(({ type }) => type === "tool_result").length]).toEqual([
        n,
        count,
      ]);
    }
  },
);
