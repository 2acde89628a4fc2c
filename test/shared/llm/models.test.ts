import { describe, expect, it } from "vitest";
import { costOf, isPriced, knownModels, specOf } from "../../../shared/llm/models.ts";

describe("a model's price and context", () => {
  it.each([
    ["gpt-5-mini-2025-08-07", "gpt-5-mini"],
    ["gpt-5", "gpt-5"],
    ["gpt-4.1-nano-2025-04-14", "gpt-4.1-nano"],
    ["gpt-4o-mini", "gpt-4o-mini"],
    ["gpt-4-0613", "gpt-4"],
    ["gpt-4o-2024-08-06", "gpt-4o"],
    ["gpt-4o-2024-05-13", "gpt-4o-2024-05-13"],
  ])("of %s are those of %s", (model, family) => {
    expect(specOf(model)).toEqual(knownModels[family]);
  });

  it.each(["gpt-4omega", "gpt-50", "llama3"])(
    "of %s are not known, although its name begins with that of a known model",
    (model) => {
      expect(specOf(model)).toEqual({ context: 8192, input: 0, output: 0 });
    },
  );

  it.each([
    ["gpt-5-pro", "gpt-5"],
    ["gpt-5-pro-2025-10-06", "gpt-5"],
    ["o3-deep-research", "o3"],
    ["gpt-4-1106-preview", "gpt-4"],
    ["gpt-4o-mini-audio-preview", "gpt-4o-mini"],
  ])("of %s are not the price of %s, whose limits it has", (model, family) => {
    const { cached: _, ...limits } = knownModels[family]!;
    expect([specOf(model), isPriced(model)]).toEqual([{ ...limits, input: 0, output: 0 }, false]);
  });

  it.each(["constructor", "toString", "__proto__"])("of %s are not known, because no model has that name", (model) => {
    expect(specOf(model)).toEqual({ context: 8192, input: 0, output: 0 });
  });

  it("are those that the deployment sets", () => {
    const overrides = { "gpt-5": { input: 9 }, "gpt-5-mini": { context: 1000 } };
    expect(specOf("gpt-5-mini-2025-08-07", overrides)).toEqual({ ...knownModels["gpt-5-mini"], context: 1000 });
    expect(specOf("gpt-5", overrides)).toMatchObject({ input: 9, cached: undefined, output: 10 });
    expect(specOf("gpt-5", { "gpt-5": { input: 9, cached: 2 } })).toMatchObject({ input: 9, cached: 2, output: 10 });
    expect(specOf("gpt-5", { "gpt-5": { cached: 1 } })).toMatchObject({ input: 1.25, cached: 1, output: 10 });
  });

  it("make a cost that is exact to a billionth of a dollar", () => {
    const spec = { context: 1, input: 0.1, output: 0.2 };
    expect(costOf(spec, { input_tokens: 3, output_tokens: 1 })).toBe(0.0000005);
  });

  it("make cached tokens of a prompt cheaper where a price for them is known", () => {
    const usage = { input_tokens: 1000, cached_input_tokens: 600, output_tokens: 100 };
    expect(costOf({ context: 1, input: 2, cached: 0.5, output: 8 }, usage)).toBe(0.0019);
    expect(costOf({ context: 1, input: 2, output: 8 }, usage)).toBe(0.0028);
  });
});
