import { describe, expect, it } from "vitest";
import type { ModelRequest } from "../../../shared/llm/model.ts";
import { ModelError } from "../../../shared/llm/model-error.ts";
import { createResilientModel, type Resilience } from "../../../shared/llm/resilient-model.ts";
import { ask } from "../../support/chat-world.ts";

const busy = (retryAfter?: number) => new ModelError("busy", "busy", { status: 429, retryAfter });

/** A model on a clock that only its steps move, and what its providers were asked. */
function scripted(
  steps: { waits?: number; answers: (now: number) => Promise<never> }[],
  more: Partial<Resilience> = {},
) {
  let now = 1_000_000;
  const asked: { model: string; within: number; queued: number }[] = [];
  let queued = 0;
  const model = createResilientModel({
    ask: (target, _prompt, request: ModelRequest) => {
      const step = steps[asked.length]!;
      asked.push({ model: target.model, within: request.firstTokenWithin, queued });
      now += step.waits ?? 0;
      return step.answers(now);
    },
    breaker: { check: async () => undefined, run: (_provider, call) => call() },
    queue: async (_provider, _tokens, within) => {
      queued = within;
      now += 100;
    },
    targets: { baseUrl: "http://one/v1", model: "a", fallbacks: ["b@http://two/v1", "c@http://three/v1"], prices: {} },
    maxAttempts: 1,
    backoff: 1,
    clock: () => now,
    ...more,
  });
  const problem = (within: number): Promise<ModelError> =>
    model.ask(ask("hi", { firstTokenWithin: within })).then(
      () => Promise.reject(new Error("it did not fail")),
      (error) => error,
    );
  return { problem, asked };
}

describe("a model that is asked several times", () => {
  it("has the rest of the turn's time in each attempt", async () => {
    const { problem, asked } = scripted(Array(3).fill({ waits: 1000, answers: () => Promise.reject(busy()) }));
    await problem(10_000);
    expect(asked).toEqual([
      { model: "a", queued: 10_000, within: 9900 },
      { model: "b", queued: 8900, within: 8800 },
      { model: "c", queued: 7800, within: 7700 },
    ]);
  });

  it("is not asked again when no time is left", async () => {
    let now = 0;
    const { problem, asked } = scripted([{ answers: () => Promise.reject(busy(1)) }], {
      maxAttempts: 3,
      targets: { baseUrl: "http://one/v1", model: "a", fallbacks: [], prices: {} },
      // Each look at the clock is 60 ms later: the wait for the retry has used the time up.
      clock: () => (now += 60),
    });
    expect(await problem(240)).toMatchObject({ failure: "busy" });
    expect(asked).toHaveLength(1);
  });

  it("fails with the error that allows the earliest retry", async () => {
    const waits = [5000, 200, 9000].map((retryAfter) => ({ answers: () => Promise.reject(busy(retryAfter)) }));
    expect(await scripted(waits).problem(10_000)).toMatchObject({ retryAfter: 200 });
  });
});
