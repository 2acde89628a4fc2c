/** A model that answers with the words of the question, after a while, and breaks off or does not answer at times. It can be stopped. */
import type { Model, ModelEvent } from "../../shared/llm/model.ts";
import { ModelError } from "../../shared/llm/model-error.ts";
import type { Instance } from "./instance.ts";
import type { Timeline } from "./timeline.ts";

/** What every answer of the model costs. */
const USAGE = { input_tokens: 20, output_tokens: 7 };

/** The answer to a question: it repeats the question's word, so that a check knows whose answer it is. */
const answerTo = (question: string): string[] => [question.replace("said ", ""), " is what was asked"];

export function createFakeModel(timeline: Timeline, { random }: Instance): Model {
  return {
    lookAhead: () => undefined,
    async ask({ promptFor, signal }) {
      const waitFor = async (milliseconds: number) => {
        const aborted = new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
        await Promise.race([timeline.wait(milliseconds), aborted]);
        if (signal?.aborted) throw new ModelError("down", "the request was aborted");
      };
      const { messages } = await promptFor("fake");
      await waitFor(random.pick([5, 300, 3000]) * random.next());
      if (random.chance(0.05)) throw new ModelError("down", "the model does not answer");
      const breaks = random.chance(0.05);
      const [first = "", second = ""] = answerTo(String(messages.at(-1)?.content).split("\n\n").at(-1) ?? "");
      async function* events(): AsyncGenerator<ModelEvent> {
        yield { kind: "text", text: first };
        await waitFor(random.pick([1, 100, 5000]) * random.next());
        if (breaks) throw new ModelError("down", "the answer broke off");
        yield { kind: "text", text: second };
        await waitFor(random.pick([0, 0, 500]) * random.next());
        yield { kind: "end", reason: "stop", usage: USAGE };
      }
      return { model: "fake", events: events() };
    },
  };
}
