import type { MessageRecord } from "../session/message.ts";

/** What becomes of an answer, in order; the last event is `end`, or an error is thrown. */
export type TurnEvent = { kind: "text"; text: string } | { kind: "end"; message: MessageRecord };

/**
 * An answer that grows while any number of readers follow it, each from its beginning and at its own pace. Writing never waits for
 * reading: a client that goes away does not stop the answer.
 */
export interface LiveAnswer {
  say(text: string): void;
  end(message: MessageRecord): void;
  fail(error: unknown): void;
  text(): string;
  events(): AsyncGenerator<TurnEvent>;
}

export function createLiveAnswer(): LiveAnswer {
  const pieces: string[] = [];
  let outcome: { message: MessageRecord } | { error: unknown } | undefined;
  let wake: PromiseWithResolvers<void> = Promise.withResolvers();
  const changed = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };

  return {
    say(text) {
      pieces.push(text);
      changed();
    },
    end(message) {
      outcome = { message };
      changed();
    },
    fail(error) {
      outcome = { error };
      changed();
    },
    text: () => pieces.join(""),
    async *events() {
      let next = 0;
      for (;;) {
        for (; next < pieces.length; next++) yield { kind: "text", text: pieces[next] ?? "" };
        if (outcome) break;
        await wake.promise;
      }
      if ("error" in outcome) throw outcome.error;
      yield { kind: "end", message: outcome.message };
    },
  };
}
