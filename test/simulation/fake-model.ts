/** A model that answers with the words of the question, after a while, and breaks off or does not answer at times. It can be stopped. */
import type { Model, ModelEvent } from "../../shared/llm/model.ts";
import { ModelError } from "../../shared/llm/model-error.ts";
import type { Instance } from "./instance.ts";
import type { Timeline } from "./timeline.ts";

/** What every answer of the model costs. */
const USAGE = { input_tokens: 20, output_tokens: 7 };

/** The model of an action, and the action of a model: the client asks for a model of its own, so that empty answers are known, too. */
export const modelOf = (action: number): string => `fake-${action}`;
const actionOf = (model: string): number => Number(model.replace("fake-", ""));

/** The answer of an action's model: it has a word of its own, so that a check knows whose answer it is. */
export const answerOf = (model: string): string[] => [`z${actionOf(model)}x0q`, " is what was asked"];

export function createFakeModel(timeline: Timeline, { random }: Instance): Model {
  return {
    lookAhead: () => undefined,
    async ask({ model = "", promptFor, signal }) {
      const waitFor = async (milliseconds: number) => {
        const aborted = new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
        await Promise.race([timeline.wait(milliseconds), aborted]);
        if (signal?.aborted) throw new ModelError("down", "the request was aborted");
      };
      await promptFor(model);
      await waitFor(random.pick([5, 300, 3000]) * random.next());
      if (random.chance(0.05)) throw new ModelError("down", "the model does not answer");
      const breaks = random.chance(0.05);
      const [first = "", second = ""] = answerOf(model);
      async function* events(): AsyncGenerator<ModelEvent> {
        yield { kind: "text", text: first };
        await waitFor(random.pick([1, 100, 5000]) * random.next());
        if (breaks) throw new ModelError("down", "the answer broke off");
        yield { kind: "text", text: second };
        await waitFor(random.pick([0, 0, 500]) * random.next());
        yield { kind: "end", reason: "stop", usage: USAGE };
      }
      return { model, events: events() };
    },
  };
}
