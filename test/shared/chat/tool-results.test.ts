import { expect, it, vi } from "vitest";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import type { MessageInput } from "../../../shared/session/schema.ts";
import { ok } from "../../support/session-checks.ts";
import { createStage, SESSION, type Stage } from "../../support/session-stage.ts";

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

async function append(stage: Stage, messages: readonly MessageInput[]): Promise<void> {
  await appendMessages(stage.stores, SESSION, messages, { seed: `${messages[0]?.role}`, at: stage.stores.clock() });
  stage.advance(1);
}

/** A stage whose session waits for the results of these calls. */
async function stageOf(ids: readonly string[]) {
  const stage = createStage();
  await stage.create();
  await stage.say("What is the weather?");
  stage.advance(1);
  const parts = ids.map((id) => ({ type: "tool_call" as const, tool_call_id: id, name: "weather", input: {} }));
  await append(stage, [{ role: "assistant", parts }]);
  return stage;
}

it("results that are sent again after a failure are answered once, when an equal request comes at any call of the first", async () => {
  const results = ["call-1", "call-2"].map(resultOf);
  for (let n = 0; ; n++) {
    const stage = await stageOf(["call-1", "call-2"]);
    await append(stage, results);
    const answer = () => ok(() => stage.turn("", { question: resultOf("call-2"), since: [resultOf("call-1")] }));
    const answers = await stage.interleaved(n, answer, answer);
    if (!answers) break;
    expect([n, answers.filter((each) => each === "ok").length]).toEqual([n, 1]);
    expect(["conflict", "validation_failed"]).toContain(answers.find((each) => each !== "ok"));
    const all = (await stage.messages("all")) ?? [];
    expect([n, all.map(({ role }) => role)]).toEqual([n, ["user", "assistant", "tool", "tool", "assistant"]]);
  }
});

it.each([1, 2])(
  "results of %i tool calls are stored once, when an equal request comes at any call of the first",
  async (count) => {
    const [first = "", ...others] = ["call-1", "call-2"].slice(0, count).toReversed();
    for (let n = 0; ; n++) {
      const stage = await stageOf([...others, first]);
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
